// The transformer of the backbone: layers of grouped-query attention and SwiGLU with their norms.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <torch/torch.h>

#include "gpt/memory.h"
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

/// What the tokens of a block may see of the cache and of each other; as it is here, everything.
struct Sight {
  std::optional<Tensor> bias = {};  ///< [B or 1,1,T,L+T], added to the scores
  bool causal = false;              ///< instead of a bias, where that says it all
};

/// The parts of a layer that look at each token alone, of which every expert has its own.
class LayerImpl : public torch::nn::Module {
 public:
  explicit LayerImpl(const StackOptions& options)
      : attention_norm_(register_module("attention_norm", layers::RMSNorm(options.width))),
        query_key_value_(register_module(
            "query_key_value",
            torch::nn::Linear(
                torch::nn::LinearOptions(options.width, (options.heads + 2 * options.key_heads) * options.head_width())
                    .bias(false)))),
        output_(register_module("output",
                                torch::nn::Linear(torch::nn::LinearOptions(options.width, options.width).bias(false)))),
        feed_forward_norm_(register_module("feed_forward_norm", layers::RMSNorm(options.width))),
        feed_forward_(register_module("feed_forward", layers::SwiGLU(options.width, options.hidden))),
        heads_(options.heads),
        key_heads_(options.key_heads) {
    if (options.query_key_norm) {
      query_norm_ = register_module("query_norm", layers::RMSNorm(options.head_width()));
      key_norm_ = register_module("key_norm", layers::RMSNorm(options.head_width()));
    }
  }

  /// Before attention: queries, keys and values, [...,heads + 2 key_heads,head_width].
  Tensor read(const Tensor& x) {
    const Tensor all = query_key_value_(attention_norm_(x)).unflatten(-1, {heads_ + 2 * key_heads_, -1});
    if (query_norm_.is_empty()) return all;
    const std::vector<Tensor> parts = all.split_with_sizes({heads_, key_heads_, key_heads_}, -2);
    return at::cat({query_norm_(parts[0]), key_norm_(parts[1]), parts[2]}, -2);
  }

  /// After it.
  Tensor write(const Tensor& x, const Tensor& attended) {
    const Tensor hidden = x + output_(attended);
    return hidden + feed_forward_(feed_forward_norm_(hidden));
  }

 private:
  layers::RMSNorm attention_norm_, query_norm_{nullptr}, key_norm_{nullptr};
  torch::nn::Linear query_key_value_, output_;
  layers::RMSNorm feed_forward_norm_;
  layers::SwiGLU feed_forward_;
  std::int64_t heads_, key_heads_;
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

  LayerImpl& layer(std::size_t index) { return *layers_[index]; }
  Tensor finish(const Tensor& x) { return norm_(x); }

 private:
  layers::RMSNorm norm_;
  std::vector<Layer> layers_;
};
TORCH_MODULE(Stack);

/// Which tokens go through which expert.
struct Routes {
  /// [B,T] int64 on the CPU; undefined: all through the first.
  Routes(std::vector<Stack>& all, const Tensor& expert, at::Device device);

  /// [B,T,...]: `run(stack, pick)` gives its expert's tokens [n,...], which it picks from tensors [B,T,...].
  template <class Run>
  Tensor each(const Run& run) const {
    if (!back.defined()) return run(*stacks.front(), [](const Tensor& x) { return x; });
    std::vector<Tensor> parts;
    for (std::size_t i = 0; i < stacks.size(); ++i) {
      parts.push_back(run(*stacks[i], [&](const Tensor& x) { return x.flatten(0, 1).index_select(0, tokens[i]); }));
    }
    return at::cat(parts).index_select(0, back).unflatten(0, shape);
  }

  std::vector<StackImpl*> stacks;   ///< of the experts in use
  std::vector<Tensor> tokens;       ///< of each, in [0,B*T)
  Tensor back;                      ///< [B*T], where each token is behind the other; undefined: one expert has all
  std::vector<std::int64_t> shape;  ///< B, T
};

/// What a pass through all layers is given besides its tokens.
struct Pass {
  const Routes& routes;
  const layers::RotaryTable& rotary;
  const Sight& sight;
  std::vector<Cache>& caches;  ///< of each layer
  std::int64_t length = 0;     ///< columns of the caches that are seen
  bool in_place = false;       ///< new keys and values are written into the caches, which have room; else these grow
};

/// x [B,T,width] -> hidden states after the final norm.
Tensor forward(const StackOptions& options, Tensor x, const Pass& pass);

}  // namespace blip3u::gpt
