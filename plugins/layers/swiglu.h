// Gated feed-forward layer SwiGLU (Shazeer 2020, arXiv:2002.05202), without biases.
#pragma once

#include <torch/torch.h>

#include "blip3u/tensor.h"

namespace blip3u::layers {

class SwiGLUImpl : public torch::nn::Module {
 public:
  SwiGLUImpl(std::int64_t width, std::int64_t hidden)
      : gate_up_(
            register_module("gate_up", torch::nn::Linear(torch::nn::LinearOptions(width, 2 * hidden).bias(false)))),
        down_(register_module("down", torch::nn::Linear(torch::nn::LinearOptions(hidden, width).bias(false)))) {}

  Tensor forward(const Tensor& x) {
    const auto parts = gate_up_(x).chunk(2, -1);
    return down_(at::silu(parts[0]) * parts[1]);
  }

 private:
  torch::nn::Linear gate_up_, down_;
};
TORCH_MODULE(SwiGLU);

}  // namespace blip3u::layers
