// Linear-GELU-Linear.
#pragma once

#include <torch/torch.h>

#include "blip3u/tensor.h"

namespace blip3u::layers {

class FeedForwardImpl : public torch::nn::Module {
 public:
  FeedForwardImpl(std::int64_t width, std::int64_t hidden, std::int64_t output_width)
      : input_(register_module("input", torch::nn::Linear(width, hidden))),
        output_(register_module("output", torch::nn::Linear(hidden, output_width))) {}

  Tensor forward(const Tensor& x) { return output_(at::gelu(input_(x))); }

 private:
  torch::nn::Linear input_, output_;
};
TORCH_MODULE(FeedForward);

}  // namespace blip3u::layers
