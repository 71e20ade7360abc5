// The image side of clip: pixels -> tokens, and tokens -> one embedding or pixels again.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include <torch/torch.h>

#include "layers/convolution.h"
#include "layers/feed_forward.h"
#include "layers/patches.h"
#include "layers/positions.h"
#include "layers/transformer_stack.h"

namespace blip3u::clip {

struct ImageOptions {
  std::int64_t image_size, grid, stem_width, width, layers, heads, feature_width;
  std::string stem, positions;
};

/// Strided convolutions that halve the image while its patches can be halved, the first with `stem_width` channels,
/// each further one with twice as many up to the transformer's width; what is left of the patch goes in one step.
inline torch::nn::Sequential convolutional_stem(const ImageOptions& options) {
  torch::nn::Sequential stem;
  std::int64_t inputs = 3, outputs = options.stem_width;
  for (std::int64_t patch = options.image_size / options.grid; patch > 1;) {
    const bool halves = patch % 2 == 0;
    const std::int64_t left = halves ? patch / 2 : 1;
    outputs = left == 1 ? options.width : std::min(outputs, options.width);
    if (inputs != 3) stem->push_back(torch::nn::GELU());
    stem->push_back(halves ? layers::convolution(inputs, outputs, 2)
                           : torch::nn::Conv2d(torch::nn::Conv2dOptions(inputs, outputs, patch).stride(patch)));
    inputs = outputs;
    outputs *= 2;
    patch = left;
  }
  return stem;
}

/// A vision transformer (Dosovitskiy et al. 2021). The stem makes its tokens with strided convolutions, with one
/// Linear on each patch, or with the sum of both: the first finds shapes sooner, the second keeps plain colour.
class ImageTowerImpl : public torch::nn::Module {
 public:
  ImageTowerImpl(const ImageOptions& options, std::uint64_t seed)
      : patch_(options.image_size / options.grid), feature_width_(options.feature_width) {
    if (options.stem != "patch") stem_ = register_module("stem", convolutional_stem(options));
    if (options.stem != "conv") {
      patches_ = register_module("patches", torch::nn::Linear(3 * patch_ * patch_, options.width));
    }
    positions_ = register_parameter(
        "positions", layers::token_positions(options.positions, options.grid * options.grid, options.width, seed));
    blocks_ = register_module(
        "blocks", layers::TransformerStack(options.layers,
                                           layers::TransformerOptions{.width = options.width, .heads = options.heads}));
    norm_ = register_module("norm", torch::nn::LayerNorm(torch::nn::LayerNormOptions({options.width})));
    output_ = register_module("output", torch::nn::Linear(options.width, options.feature_width));
  }

  /// [B,3,S,S] -> features [B,N,D], each token with mean 0 and variance 1
  Tensor forward(const Tensor& images) {
    Tensor x = positions_;
    if (!stem_.is_empty()) x = x + layers::map_to_tokens(stem_->forward(images));
    if (!patches_.is_empty()) x = x + patches_(layers::patchify(images, patch_));
    return torch::layer_norm(output_(norm_(blocks_->forward(x))), {feature_width_});
  }

 private:
  std::int64_t patch_, feature_width_;
  torch::nn::Sequential stem_{nullptr};
  layers::TransformerStack blocks_{nullptr};
  torch::nn::Linear patches_{nullptr}, output_{nullptr};
  torch::nn::LayerNorm norm_{nullptr};
  Tensor positions_;
};
TORCH_MODULE(ImageTower);

/// Features -> embedding. It reads the features and nothing before them, so that generated features can be embedded
/// like those of real images.
class ImagePoolingImpl : public torch::nn::Module {
 public:
  ImagePoolingImpl(std::int64_t feature_width, std::int64_t hidden, std::int64_t embedding_width, bool attention)
      : tokens_(register_module("tokens", layers::FeedForward(feature_width, hidden, hidden))),
        norm_(register_module("norm", torch::nn::LayerNorm(torch::nn::LayerNormOptions({hidden})))),
        output_(register_module("output", torch::nn::Linear(hidden, embedding_width))) {
    if (attention)
      score_ = register_module("score", torch::nn::Linear(torch::nn::LinearOptions(hidden, 1).bias(false)));
  }

  Tensor forward(const Tensor& features) {
    const Tensor hidden = tokens_(features);
    const Tensor pooled = score_.is_empty() ? hidden.mean(1) : (score_(torch::gelu(hidden)).softmax(1) * hidden).sum(1);
    return torch::nn::functional::normalize(output_(norm_(pooled)),
                                            torch::nn::functional::NormalizeFuncOptions().dim(-1));
  }

 private:
  layers::FeedForward tokens_;
  torch::nn::LayerNorm norm_;
  torch::nn::Linear output_, score_{nullptr};
};
TORCH_MODULE(ImagePooling);

}  // namespace blip3u::clip
