// The transformer of the backbone: layers of grouped-query attention and SwiGLU with their norms.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <torch/torch.h>

#include "layers/attention.h"
#include "layers/norm.h"
#include "layers/rotary.h"
#include "layers/swiglu.h"

namespace blip3u::gpt {

struct StackOptions {
  std::int64_t width = 0, layers = 0, heads = 0, key_heads = 0, hidden = 0;
  bool query_key_norm = true;  ///< RMSNorm of queries and keys, head by head (Dehghani et al. 2023, arXiv:2302.05442)

  std::int64_t head_width() const { return width / heads; }
};

/// Keys and values of one layer, [B,key_heads,L,head_width]. Never written to, so that forks can share them.
struct Cache {
  Tensor keys, values;
};

/// What the tokens of a block may see of the cache and of each other.
struct Sight {
  std::optional<Tensor> bias;  ///< [B or 1,1,T,L+T], added to the scores
  bool causal = false;         ///< instead of a bias, where that says it all
};

class LayerImpl : public torch::nn::Module {
 public:
  explicit LayerImpl(const StackOptions& options)
      : options_(options),
        attention_norm_(register_module("attention_norm", layers::RMSNorm(options.width))),
        query_key_value_(register_module(
            "query_key_value",
            torch::nn::Linear(
                torch::nn::LinearOptions(options.width, (options.heads + 2 * options.key_heads) * options.head_width())
                    .bias(false)))),
        output_(register_module("output",
                                torch::nn::Linear(torch::nn::LinearOptions(options.width, options.width).bias(false)))),
        feed_forward_norm_(register_module("feed_forward_norm", layers::RMSNorm(options.width))),
        feed_forward_(register_module("feed_forward", layers::SwiGLU(options.width, options.hidden))) {
    if (options.query_key_norm) {
      query_norm_ = register_module("query_norm", layers::RMSNorm(options.head_width()));
      key_norm_ = register_module("key_norm", layers::RMSNorm(options.head_width()));
    }
  }

  /// x [B,T,width]. The new keys and values are put behind those of `cache`.
  Tensor forward(const Tensor& x, const layers::RotaryTable& rotary, const Sight& sight, Cache& cache) {
    const Tensor hidden = x + attend(attention_norm_(x), rotary, sight, cache);
    return hidden + feed_forward_(feed_forward_norm_(hidden));
  }

 private:
  Tensor attend(const Tensor& x, const layers::RotaryTable& rotary, const Sight& sight, Cache& cache) {
    const std::int64_t group = options_.heads / options_.key_heads;
    const auto parts = layers::split_heads(query_key_value_(x), options_.heads + 2 * options_.key_heads)
                           .split_with_sizes({options_.heads, options_.key_heads, options_.key_heads}, 1);
    Tensor query = parts[0], key = parts[1], value = parts[2];
    if (options_.query_key_norm) {
      query = query_norm_(query);
      key = key_norm_(key);
    }
    query = layers::apply_rotary(query, rotary);
    key = layers::apply_rotary(key, rotary);
    cache.keys = cache.keys.defined() ? at::cat({cache.keys, key}, 2) : key;
    cache.values = cache.values.defined() ? at::cat({cache.values, value}, 2) : value;
    return output_(layers::join_heads(at::scaled_dot_product_attention(
        query, repeat_heads(cache.keys, group), repeat_heads(cache.values, group), sight.bias, 0.0, sight.causal)));
  }

  /// Every head of keys serves `group` heads of queries (Ainslie et al. 2023, arXiv:2305.13245).
  static Tensor repeat_heads(const Tensor& x, std::int64_t group) {
    if (group == 1) return x;
    return x.unsqueeze(2).expand({-1, -1, group, -1, -1}).flatten(1, 2);
  }

  StackOptions options_;
  layers::RMSNorm attention_norm_, query_norm_{nullptr}, key_norm_{nullptr};
  torch::nn::Linear query_key_value_, output_;
  layers::RMSNorm feed_forward_norm_;
  layers::SwiGLU feed_forward_;
};
TORCH_MODULE(Layer);

/// One full set of transformer weights, i.e. one expert of a mixture of transformers.
class StackImpl : public torch::nn::Module {
 public:
  explicit StackImpl(const StackOptions& options) : norm_(register_module("norm", layers::RMSNorm(options.width))) {
    torch::nn::ModuleList list;
    for (std::int64_t i = 0; i < options.layers; ++i) layers_.emplace_back(options);
    for (const Layer& layer : layers_) list->push_back(layer);
    register_module("layers", list);
  }

  Tensor forward(Tensor x, const layers::RotaryTable& rotary, const Sight& sight, std::vector<Cache>& caches) {
    for (std::size_t i = 0; i < layers_.size(); ++i) x = layers_[i]->forward(x, rotary, sight, caches[i]);
    return norm_(x);
  }

 private:
  layers::RMSNorm norm_;
  std::vector<Layer> layers_;
};
TORCH_MODULE(Stack);

}  // namespace blip3u::gpt
