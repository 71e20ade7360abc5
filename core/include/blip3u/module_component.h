// For components made of torch::nn modules. Include after choosing to pay for <torch/nn/module.h>.
#pragma once

#include <span>
#include <string>

#include <torch/nn/module.h>

#include "blip3u/component.h"
#include "blip3u/plugin.h"

namespace blip3u {

/// One row of the table that says which tensor of a folder becomes which weight. One `*` in `ours` stands for any text,
/// in `theirs` for the same text: {"blocks.*.read.weight", "model.layers.*.self_attn.q_proj.weight"}.
struct Name {
  enum How {
    same,
    transposed,  ///< a matrix the other way round
    fused,       ///< rows of one are rows of several others, one after another in the order of the table, either way
    ignored,     ///< theirs has no use here; `ours` is empty
  };
  std::string ours, theirs;
  How how = same;
};

/// Gives the modules below `root` their weights, device and type. Without Host::weights they are drawn, see below. With
/// them each weight is written exactly once, a Deferred module's of the context's type not even copied; buffers are
/// written where a row names them. Without rows the names are the same on both sides. All that is missing, doubled,
/// surplus or of another shape is named in one Error.
BLIP3U_API void finish_module(torch::nn::Module& root, const BuildContext& context, std::span<const Name> names);

/// Draws the weights of Linear, Conv and Embedding modules below `root` anew from `seed`, each parameter from its own
/// stream, so that initial weights depend on nothing but the seed and the parameter's name. Linear weights are uniform
/// with the variance of Glorot & Bengio (2010), convolutions uniform in +-1/sqrt(fan_in), biases zero, embeddings
/// normal with deviation 0.02; other parameters (norm scales, learned positions) keep what their module gave them.
BLIP3U_API void initialize_weights(torch::nn::Module& root, std::uint64_t seed);

/// A learned table, e.g. positions or queries: normal with the given deviation, from the seed and the name.
BLIP3U_API Tensor learned_table(at::IntArrayRef shape, double deviation, std::uint64_t seed, std::string_view name);

/// Implements Component over a torch::nn::Module. The derived constructor registers its modules, then calls finish().
template <class Contract>
class ModuleComponent : public Contract, public torch::nn::Module {
 public:
  std::vector<NamedTensor> weights() const override {
    std::vector<NamedTensor> result;
    for (const auto& item : named_parameters()) result.push_back({item.key(), item.value()});
    return result;
  }
  std::vector<NamedTensor> state() const override {
    std::vector<NamedTensor> result;
    for (const auto& item : named_buffers()) result.push_back({item.key(), item.value()});
    return result;
  }
  void set_training(bool on) override { torch::nn::Module::train(on); }

 protected:
  /// Gives the registered modules their weights, device and type, and puts them in inference mode.
  void finish(const BuildContext& context, std::span<const Name> names = {}) {
    finish_module(*this, context, names);
    torch::nn::Module::eval();
  }
};

}  // namespace blip3u
