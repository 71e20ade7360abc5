// Squares of neighbouring tokens of a square grid as single, wider tokens, which makes transformers cheaper.
#pragma once

#include <cstdint>

#include <fmt/format.h>
#include <torch/torch.h>

#include "blip3u/plugin.h"
#include "layers/patches.h"

namespace blip3u::layers {

/// [B,N,D] -> [B,N/m^2,m^2 D]
inline Tensor merge_squares(const Tensor& x, std::int64_t m) {
  if (m == 1) return x;
  const std::int64_t side = grid_side(x.size(1)) / m;
  return x.reshape({x.size(0), side, m, side, m, x.size(2)}).transpose(2, 3).flatten(3).flatten(1, 2);
}

/// The inverse of merge_squares: [B,N/m^2,m^2 D] -> [B,N,D].
inline Tensor split_squares(const Tensor& x, std::int64_t m) {
  if (m == 1) return x;
  const std::int64_t side = grid_side(x.size(1));
  return x.unflatten(2, {m, m, -1}).unflatten(1, {side, side}).transpose(2, 3).flatten(1, 4);
}

/// Rejects a parameter `merge` whose squares do not tile the encoder's grid.
inline void check_merge(std::int64_t m, std::int64_t tokens, Wiring& wiring) {
  const std::int64_t side = grid_side(tokens);
  if (tokens == 0 || m == 1 || (side > 0 && side % m == 0)) return;
  wiring.reject("merge", fmt::format("squares of {0} x {0} tokens do not tile the encoder's {1} tokens; set merge: 1",
                                     m, tokens));
}

}  // namespace blip3u::layers
