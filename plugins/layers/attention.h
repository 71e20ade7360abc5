// Multi-head attention without causality, for encoders, denoisers and decoders. (The backbone has its own, with a
// cache.)
#pragma once

#include <torch/torch.h>

#include "blip3u/tensor.h"

namespace blip3u::layers {

/// What is added to attention scores so that nobody sees a place where `allowed` is false. Finite, so that a query that
/// may see nothing gets a meaningless but finite mean instead of NaN.
inline Tensor attention_bias(const Tensor& allowed, at::ScalarType type) {
  return at::zeros(allowed.sizes(), allowed.options().dtype(type)).masked_fill_(allowed.logical_not(), -3e4);
}

/// [B,T,W] -> [B,H,T,W/H]
inline Tensor split_heads(const Tensor& x, std::int64_t heads) {
  return x.unflatten(-1, {heads, x.size(-1) / heads}).transpose(1, 2);
}
inline Tensor join_heads(const Tensor& x) { return x.transpose(1, 2).flatten(2); }

/// What attention looks at: [B,H,K,W/H] each.
struct KeyValue {
  Tensor key, value;
};

/// Self-attention, or with `context_width` > 0 attention to a context.
class AttentionImpl : public torch::nn::Module {
 public:
  AttentionImpl(std::int64_t width, std::int64_t heads, std::int64_t context_width = 0) : heads_(heads) {
    if (context_width == 0) {
      query_key_value_ = register_module("query_key_value", torch::nn::Linear(width, 3 * width));
    } else {
      query_ = register_module("query", torch::nn::Linear(width, width));
      key_value_ = register_module("key_value", torch::nn::Linear(context_width, 2 * width));
    }
    output_ = register_module("output", torch::nn::Linear(width, width));
  }

  /// The keys and values of a context [B,K,C], for a module made with a context width.
  KeyValue read(const Tensor& context) {
    const auto parts = key_value_(context).chunk(2, -1);
    return {split_heads(parts[0], heads_), split_heads(parts[1], heads_)};
  }

  /// x [B,T,W] to itself; mask [B,T] bool, false where nobody looks.
  Tensor forward(const Tensor& x, const Tensor& mask = {}) {
    const auto parts = query_key_value_(x).chunk(3, -1);
    return attend(parts[0], {split_heads(parts[1], heads_), split_heads(parts[2], heads_)}, mask);
  }

  /// x [B,T,W] to a context that was read; mask [B,K].
  Tensor forward(const Tensor& x, const KeyValue& context, const Tensor& mask) {
    return attend(query_(x), context, mask);
  }

 private:
  Tensor attend(const Tensor& query, const KeyValue& seen, const Tensor& mask) {
    std::optional<Tensor> bias;
    if (mask.defined()) bias = attention_bias(mask.unsqueeze(1).unsqueeze(1), query.scalar_type());
    return output_(
        join_heads(at::scaled_dot_product_attention(split_heads(query, heads_), seen.key, seen.value, bias)));
  }

  std::int64_t heads_;
  torch::nn::Linear query_key_value_{nullptr}, query_{nullptr}, key_value_{nullptr}, output_{nullptr};
};
TORCH_MODULE(Attention);

}  // namespace blip3u::layers
