// The time of a diffusion or flow, as a vector: sinusoids of 1000 t (Vaswani et al. 2017; Ho et al. 2020), then an MLP.
#pragma once

#include <cmath>

#include <torch/torch.h>

#include "layers/feed_forward.h"

namespace blip3u::layers {

class TimeEmbeddingImpl : public torch::nn::Module {
 public:
  explicit TimeEmbeddingImpl(std::int64_t width)
      : feed_forward_(register_module("feed_forward", FeedForward(sinusoids, width, width))) {}

  /// time [B] float32 in [0,1] -> [B,width], of the weights' type
  Tensor forward(const Tensor& time) {
    constexpr std::int64_t half = sinusoids / 2;
    const Tensor index = at::arange(half, time.options());
    const Tensor angles = 1000.0 * time.unsqueeze(1) * at::exp(index * (-std::log(10000.0) / half));
    return feed_forward_(
        at::cat({angles.cos(), angles.sin()}, 1).to(feed_forward_->parameters().front().scalar_type()));
  }

 private:
  static constexpr std::int64_t sinusoids = 64;
  FeedForward feed_forward_;
};
TORCH_MODULE(TimeEmbedding);

}  // namespace blip3u::layers
