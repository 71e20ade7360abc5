// Feature tokens -> transformer -> patches of pixels.
#pragma once

#include <cstdint>
#include <string>

#include <torch/torch.h>

#include "layers/feed_forward.h"
#include "layers/merge.h"
#include "layers/patches.h"
#include "layers/positions.h"
#include "layers/transformer_stack.h"

namespace blip3u::layers {

struct PatchTransformerOptions {
  std::int64_t image_size = 0, feature_grid = 0, feature_width = 0;
  std::int64_t width = 0, layers = 0, heads = 1;
  std::int64_t head_width = 0;  ///< hidden width of the head, which a single Linear would limit in rank; 0: one Linear
  std::int64_t split = 1;       ///< each feature token becomes split x split tokens and patches
  std::string positions = "sin_cos";
};

class PatchTransformerImpl : public torch::nn::Module {
 public:
  PatchTransformerImpl(const PatchTransformerOptions& options, std::uint64_t seed)
      : split_(options.split), patch_(options.image_size / (options.feature_grid * options.split)) {
    const std::int64_t width = options.width, pixels = 3 * patch_ * patch_, grid = options.feature_grid * split_;
    input_ = register_module("input", torch::nn::Linear(options.feature_width, width * split_ * split_));
    positions_ = register_parameter("positions", token_positions(options.positions, grid * grid, width, seed));
    blocks_ = register_module(
        "blocks", TransformerStack(options.layers, TransformerOptions{.width = width, .heads = options.heads}));
    norm_ = register_module("norm", torch::nn::LayerNorm(torch::nn::LayerNormOptions({width})));
    if (options.head_width > 0) {
      head_ = register_module("head", FeedForward(width, options.head_width, pixels));
    } else {
      linear_head_ = register_module("head", torch::nn::Linear(width, pixels));
    }
  }

  /// [B,N,D] -> [B,3,S,S], not clamped
  Tensor forward(const Tensor& features) {
    const Tensor tokens = norm_(blocks_->forward(split_squares(input_(features), split_) + positions_));
    return unpatchify(head_.is_empty() ? linear_head_(tokens) : head_(tokens), patch_);
  }

 private:
  std::int64_t split_, patch_;
  torch::nn::Linear input_{nullptr}, linear_head_{nullptr};
  torch::nn::LayerNorm norm_{nullptr};
  TransformerStack blocks_{nullptr};
  FeedForward head_{nullptr};
  Tensor positions_;
};
TORCH_MODULE(PatchTransformer);

}  // namespace blip3u::layers
