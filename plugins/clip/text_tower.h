// The text side of clip: token ids -> one embedding.
#pragma once

#include <cstdint>

#include <torch/torch.h>

#include "blip3u/module_component.h"
#include "blip3u/visual.h"
#include "layers/pooled.h"
#include "layers/transformer_stack.h"

namespace blip3u::clip {

struct TextOptions {
  std::int64_t vocabulary, length, width, layers, heads, embedding_width;
};

class TextTowerImpl : public torch::nn::Module {
 public:
  TextTowerImpl(const TextOptions& options, std::uint64_t seed) : length_(options.length) {
    words_ = register_module("embedding", torch::nn::Embedding(options.vocabulary, options.width));
    positions_ =
        register_parameter("positions", learned_table({options.length, options.width}, 0.02, seed, "text positions"));
    blocks_ = register_module(
        "blocks", layers::TransformerStack(options.layers,
                                           layers::TransformerOptions{.width = options.width, .heads = options.heads}));
    norm_ = register_module("norm", torch::nn::LayerNorm(torch::nn::LayerNormOptions({options.width})));
    output_ = register_module("output", torch::nn::Linear(options.width, options.embedding_width));
  }

  /// [B,E] of unit length. Texts beyond the length are cut; a row without a valid token gets a finite, useless one.
  Tensor forward(const TextBatch& texts) {
    const Tensor ids = texts.ids.slice(1, 0, length_);
    const Tensor valid = texts.valid.defined() ? texts.valid.slice(1, 0, length_) : Tensor();
    layers::TransformerInputs inputs;
    inputs.mask = valid;
    const Tensor x = blocks_(words_(ids) + positions_.slice(0, 0, ids.size(1)), inputs);
    return torch::nn::functional::normalize(output_(layers::pooled(norm_(x), valid)),
                                            torch::nn::functional::NormalizeFuncOptions().dim(-1));
  }

 private:
  std::int64_t length_;
  torch::nn::Embedding words_{nullptr};
  layers::TransformerStack blocks_{nullptr};
  torch::nn::LayerNorm norm_{nullptr};
  torch::nn::Linear output_{nullptr};
  Tensor positions_;
};
TORCH_MODULE(TextTower);

}  // namespace blip3u::clip
