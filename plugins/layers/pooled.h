// The mean of a text's tokens.
#pragma once

#include <torch/torch.h>

#include "blip3u/tensor.h"

namespace blip3u::layers {

/// The mean over the valid places, all if there is no mask: [B,N,W] and [B,N] -> [B,W]. Zero where none is valid.
inline Tensor pooled(const Tensor& tokens, const Tensor& mask) {
  if (!mask.defined()) return tokens.mean(1);
  const Tensor weight = mask.to(tokens.scalar_type()).unsqueeze(-1);
  return (tokens * weight).sum(1) / weight.sum(1).clamp_min(1.0);
}

}  // namespace blip3u::layers
