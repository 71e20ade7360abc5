// Root mean square norm (Zhang & Sennrich 2019, arXiv:1910.07467).
#pragma once

#include <torch/torch.h>

#include "blip3u/nn/rms_norm.h"
#include "blip3u/tensor.h"

namespace blip3u::layers {

class RMSNormImpl : public torch::nn::Module {
 public:
  explicit RMSNormImpl(std::int64_t width, double epsilon = 1e-6)
      : epsilon_(epsilon), weight_(register_parameter("weight", at::ones({width}))) {}

  Tensor forward(const Tensor& x) { return nn::rms_norm(x, weight_, epsilon_); }

 private:
  double epsilon_;
  Tensor weight_;
};
TORCH_MODULE(RMSNorm);

}  // namespace blip3u::layers
