// What the generation link before this one made, as tokens of a condition (cascades: Ho et al. 2021, arXiv:2106.15282).
#pragma once

#include <torch/torch.h>

#include "blip3u/module_component.h"
#include "blip3u/visual.h"
#include "layers/norm.h"

namespace blip3u::layers {

class PreviousImpl : public torch::nn::Module {
 public:
  /// Of pictures laid out as `layout`; `width` is that of the condition's tokens.
  PreviousImpl(const Layout& layout, std::int64_t width, std::uint64_t seed)
      : codebook_(layout.codebook), norm_(register_module("norm", RMSNorm(width))) {
    positions_ =
        register_parameter("positions", learned_table({layout.tokens, width}, 0.02, seed, "previous positions"));
    if (codebook_ > 0) {
      table_ =
          register_parameter("table", learned_table({layout.depth * codebook_, width}, 0.5, seed, "previous codes"));
    } else {
      input_ = register_module("input", torch::nn::Linear(layout.width, width));
    }
  }

  /// [B,N,width], N tokens at most.
  Tensor forward(const Visual& made) {
    Tensor tokens;
    if (codebook_ > 0) {  // each level has its own rows; a masked code counts as its first
      const Tensor levels = at::arange(made.codes.size(2), made.codes.options()) * codebook_;
      tokens = at::embedding(table_, made.codes.clamp_min(0) + levels).sum(2);
    } else {
      tokens = input_(made.x.to(positions_.scalar_type()));
    }
    return norm_(tokens + positions_.slice(0, 0, tokens.size(1)));
  }

 private:
  std::int64_t codebook_;
  RMSNorm norm_;
  torch::nn::Linear input_{nullptr};
  Tensor table_, positions_;
};
TORCH_MODULE(Previous);

}  // namespace blip3u::layers
