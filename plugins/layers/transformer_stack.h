// Transformer blocks in a row.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <torch/torch.h>

#include "layers/transformer.h"

namespace blip3u::layers {

class TransformerStackImpl : public torch::nn::Module {
 public:
  TransformerStackImpl(std::int64_t count, const TransformerOptions& options) {
    for (std::int64_t i = 0; i < count; ++i) {
      blocks_.emplace_back(register_module(std::to_string(i), TransformerBlock(options)));
    }
  }

  /// `kept` has what each block keeps, or is empty.
  Tensor forward(Tensor x, const TransformerInputs& inputs = {}, const std::vector<BlockMemory>& kept = {}) {
    const BlockMemory nothing;
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      x = blocks_[i]->forward(std::move(x), inputs, kept.empty() ? nothing : kept[i]);
    }
    return x;
  }

  std::vector<TransformerBlock>& blocks() { return blocks_; }

 private:
  std::vector<TransformerBlock> blocks_;
};
TORCH_MODULE(TransformerStack);

}  // namespace blip3u::layers
