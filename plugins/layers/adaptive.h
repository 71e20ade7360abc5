// Adaptive layer norm with zero initialisation (adaLN-zero; Peebles & Xie 2023, arXiv:2212.09748).
#pragma once

#include <torch/torch.h>

#include "blip3u/tensor.h"

namespace blip3u::layers {

/// Makes shifts, scales and gates, in this order, from a condition: SiLU, then Linear.
class ModulationImpl : public torch::nn::Module {
 public:
  ModulationImpl(std::int64_t condition_width, std::int64_t width, std::int64_t parts)
      : parts_(parts), linear_(register_module("linear", torch::nn::Linear(condition_width, parts * width))) {}

  /// condition [B,C], or [B,T,C] to differ by token; gives `parts` tensors that broadcast over [B,T,W].
  std::vector<Tensor> forward(const Tensor& condition) { return split(all(condition)); }

  /// The same in two steps, of which the first may be done for many conditions ahead: [B,parts W] or [B,T,parts W].
  Tensor all(const Tensor& condition) { return linear_(at::silu(condition)); }
  std::vector<Tensor> split(const Tensor& all) const {
    return (all.dim() == 2 ? all.unsqueeze(1) : all).chunk(parts_, -1);
  }

  /// Shifts and scales of zero, and gates of `gate`, whatever the condition.
  void start(double gate) {
    const torch::NoGradGuard no_gradient;
    linear_->weight.zero_();
    linear_->bias.zero_();
    linear_->bias.view({parts_, -1}).slice(0, 2, parts_, 3).fill_(gate);
  }

 private:
  std::int64_t parts_;
  torch::nn::Linear linear_;
};
TORCH_MODULE(Modulation);

/// Layer norm without weights, then shift and scale.
inline Tensor modulated_norm(const Tensor& x, const Tensor& shift, const Tensor& scale) {
  return at::layer_norm(x, {x.size(-1)}) * (1 + scale) + shift;
}

/// The last layer of a denoiser: adaptive norm and a Linear that starts at zero.
class AdaptiveOutputImpl : public torch::nn::Module {
 public:
  AdaptiveOutputImpl(std::int64_t width, std::int64_t condition_width, std::int64_t output_width)
      : modulation_(register_module("modulation", Modulation(condition_width, width, 2))),
        linear_(register_module("linear", torch::nn::Linear(width, output_width))) {}

  Tensor forward(const Tensor& x, const Tensor& condition) { return modulated(x, modulation_->all(condition)); }

  /// With what `modulation` made of the condition.
  Tensor modulated(const Tensor& x, const Tensor& modulation) {
    const auto parts = modulation_->split(modulation);
    return linear_(modulated_norm(x, parts[0], parts[1]));
  }
  Tensor modulation(const Tensor& condition) { return modulation_->all(condition); }

  void zero() {
    const torch::NoGradGuard no_gradient;
    linear_->weight.zero_();
    linear_->bias.zero_();
  }

 private:
  Modulation modulation_;
  torch::nn::Linear linear_;
};
TORCH_MODULE(AdaptiveOutput);

/// Sets every modulation and adaptive output below `root` to zero, so that each block starts as the identity and the
/// output at zero; a `gate` of 1 makes blocks start as plain ones without adaptation instead. Owners call it after
/// ModuleComponent::finish(), which draws all Linear weights.
inline void zero_adaptive(torch::nn::Module& root, double gate = 0.0) {
  for (const auto& module : root.modules(/*include_self=*/false)) {  // the root may not be owned by a shared_ptr
    if (auto* modulation = module->as<ModulationImpl>()) modulation->start(gate);
    if (auto* output = module->as<AdaptiveOutputImpl>()) output->zero();
  }
}

}  // namespace blip3u::layers
