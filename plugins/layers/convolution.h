// The convolution between pixels and a grid of tokens.
#pragma once

#include <cstdint>

#include <torch/torch.h>

namespace blip3u::layers {

/// 3 x 3, keeping the size at stride 1 and halving it at stride 2.
inline torch::nn::Conv2d convolution(std::int64_t inputs, std::int64_t outputs, std::int64_t stride = 1) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(inputs, outputs, 3).stride(stride).padding(1));
}

}  // namespace blip3u::layers
