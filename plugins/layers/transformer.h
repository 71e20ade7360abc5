// A pre-norm transformer block without causality.
#pragma once

#include <torch/torch.h>

#include "layers/adaptive.h"
#include "layers/attention.h"
#include "layers/feed_forward.h"

namespace blip3u::layers {

struct TransformerOptions {
  std::int64_t width = 0;
  std::int64_t heads = 1;
  double hidden_ratio = 4.0;       ///< hidden width of the feed-forward part as a multiple of width
  bool adaptive = false;           ///< norms steered by a condition [B,width]; the owner calls zero_adaptive()
  std::int64_t context_width = 0;  ///< > 0: with cross-attention to a context of that width
};

/// What a block reads besides its tokens; leave out what its options do not ask for.
struct TransformerInputs {
  Tensor mask = {};          ///< [B,T] bool, false for padding; undefined: all valid
  Tensor condition = {};     ///< [B,width] or [B,T,width]
  Tensor context = {};       ///< [B,Q,context_width]
  Tensor context_mask = {};  ///< [B,Q] bool; undefined: all valid
};

/// What a block makes of condition and context alone, when it is kept from one call to the next.
struct BlockMemory {
  Tensor modulation = {};  ///< in place of TransformerInputs::condition; undefined: not kept
  KeyValue context = {};   ///< in place of TransformerInputs::context; undefined: not kept
};

class TransformerBlockImpl : public torch::nn::Module {
 public:
  explicit TransformerBlockImpl(const TransformerOptions& options)
      : adaptive_(options.adaptive), crosses_(options.context_width > 0) {
    const std::int64_t width = options.width;
    attention_ = register_module("attention", Attention(width, options.heads));
    if (crosses_) {
      cross_attention_ = register_module("cross_attention", Attention(width, options.heads, options.context_width));
    }
    feed_forward_ = register_module(
        "feed_forward",
        FeedForward(width, static_cast<std::int64_t>(options.hidden_ratio * static_cast<double>(width)), width));
    if (adaptive_) {
      modulation_ = register_module("modulation", Modulation(width, width, crosses_ ? 9 : 6));
    } else {
      const torch::nn::LayerNormOptions norm({width});
      attention_norm_ = register_module("attention_norm", torch::nn::LayerNorm(norm));
      if (crosses_) cross_norm_ = register_module("cross_norm", torch::nn::LayerNorm(norm));
      feed_forward_norm_ = register_module("feed_forward_norm", torch::nn::LayerNorm(norm));
    }
  }

  /// Of a block with a context, and of an adaptive block.
  KeyValue read(const Tensor& context) { return cross_attention_->read(context); }
  Tensor modulation(const Tensor& condition) { return modulation_->all(condition); }

  Tensor forward(Tensor x, const TransformerInputs& inputs = {}, const BlockMemory& kept = {}) {
    KeyValue context = kept.context;
    if (crosses_ && !context.key.defined()) context = read(inputs.context);
    if (adaptive_) {
      const auto m = modulation_->split(kept.modulation.defined() ? kept.modulation : modulation(inputs.condition));
      x = x + m[2] * attention_->forward(modulated_norm(x, m[0], m[1]), inputs.mask);
      if (crosses_) {
        x = x + m[8] * cross_attention_->forward(modulated_norm(x, m[6], m[7]), context, inputs.context_mask);
      }
      return x + m[5] * feed_forward_(modulated_norm(x, m[3], m[4]));
    }
    x = x + attention_->forward(attention_norm_(x), inputs.mask);
    if (crosses_) x = x + cross_attention_->forward(cross_norm_(x), context, inputs.context_mask);
    return x + feed_forward_(feed_forward_norm_(x));
  }

 private:
  bool adaptive_, crosses_;
  Attention attention_{nullptr}, cross_attention_{nullptr};
  FeedForward feed_forward_{nullptr};
  Modulation modulation_{nullptr};
  torch::nn::LayerNorm attention_norm_{nullptr}, cross_norm_{nullptr}, feed_forward_norm_{nullptr};
};
TORCH_MODULE(TransformerBlock);

}  // namespace blip3u::layers
