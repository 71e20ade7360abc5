// The two halves of the convolutional autoencoder, as in latent diffusion (Rombach et al. 2022) without attention:
// residual blocks between strided convolutions going down, and sub-pixel convolutions (Shi et al. 2016) going up.
// No convolution runs at full resolution, which is where most of the arithmetic would be.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

#include <torch/torch.h>

#include "blip3u/tensor.h"
#include "layers/convolution.h"

namespace blip3u::vae {

using layers::convolution;

inline torch::nn::GroupNorm group_norm(std::int64_t channels) {
  return torch::nn::GroupNorm(torch::nn::GroupNormOptions(std::gcd(std::int64_t{8}, channels), channels));
}

class ResidualBlock : public torch::nn::Module {
 public:
  explicit ResidualBlock(std::int64_t channels)
      : path_(register_module(
            "path", torch::nn::Sequential(group_norm(channels), torch::nn::SiLU(), convolution(channels, channels),
                                          group_norm(channels), torch::nn::SiLU(), convolution(channels, channels)))) {}

  Tensor forward(const Tensor& x) { return x + path_->forward(x); }

 private:
  torch::nn::Sequential path_;
};

/// Channels after each halving of an image on its way to the grid: the coarsest level, the last, has `width`, each
/// finer one half of the next, but at least 16.
inline std::vector<std::int64_t> channel_plan(std::int64_t width, std::int64_t image_size, std::int64_t grid) {
  std::vector<std::int64_t> channels;
  for (std::int64_t side = grid; side < image_size; side *= 2) {
    channels.push_back(channels.empty() ? width : std::max<std::int64_t>(16, channels.back() / 2));
  }
  std::reverse(channels.begin(), channels.end());
  return channels;
}

inline void add_blocks(torch::nn::Sequential& network, std::int64_t channels, std::int64_t blocks) {
  for (std::int64_t i = 0; i < blocks; ++i) network->push_back(std::make_shared<ResidualBlock>(channels));
}

/// [B,3,S,S] -> [B,outputs,G,G]
inline torch::nn::Sequential encoder_network(const std::vector<std::int64_t>& plan, std::int64_t blocks,
                                             std::int64_t outputs) {
  torch::nn::Sequential network;
  std::int64_t inputs = 3;
  for (const std::int64_t channels : plan) {
    network->push_back(convolution(inputs, channels, 2));
    add_blocks(network, channels, blocks);
    inputs = channels;
  }
  network->push_back(group_norm(inputs));
  network->push_back(torch::nn::SiLU());
  network->push_back(convolution(inputs, outputs));
  return network;
}

/// [B,inputs,G,G] -> [B,3,S,S]
inline torch::nn::Sequential decoder_network(const std::vector<std::int64_t>& plan, std::int64_t blocks,
                                             std::int64_t inputs) {
  torch::nn::Sequential network;
  network->push_back(convolution(inputs, plan.back()));
  add_blocks(network, plan.back(), blocks);
  for (std::size_t level = plan.size() - 1; level > 0; --level) {
    network->push_back(convolution(plan[level], 4 * plan[level - 1]));
    network->push_back(torch::nn::PixelShuffle(2));
    add_blocks(network, plan[level - 1], blocks);
  }
  network->push_back(group_norm(plan.front()));
  network->push_back(torch::nn::SiLU());
  network->push_back(convolution(plan.front(), 4 * 3));
  network->push_back(torch::nn::PixelShuffle(2));
  return network;
}

}  // namespace blip3u::vae
