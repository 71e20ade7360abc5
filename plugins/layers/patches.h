// Images as grids of tokens: patches in reading order, and the two views [B,N,D] and [B,D,G,G] of a square grid.
#pragma once

#include <cmath>
#include <cstdint>

#include <torch/torch.h>

#include "blip3u/tensor.h"

namespace blip3u::layers {

/// The side of a square grid of that many tokens; 0 if they make no square.
inline std::int64_t grid_side(std::int64_t tokens) {
  const auto side = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(tokens))));
  return side * side == tokens ? side : 0;
}

/// The side, in pixels, of the patches that a square grid of that many tokens makes of an image; 0 if they make no
/// square.
inline std::int64_t patch_side(std::int64_t image_size, std::int64_t tokens) {
  const std::int64_t grid = grid_side(tokens);
  return grid > 0 ? image_size / grid : 0;
}

/// [B,N,D] -> [B,D,G,G] with N = G*G.
inline Tensor tokens_to_map(const Tensor& tokens) {
  const std::int64_t side = grid_side(tokens.size(1));
  return tokens.transpose(1, 2).reshape({tokens.size(0), tokens.size(2), side, side});
}

/// [B,D,G,G] -> [B,N,D].
inline Tensor map_to_tokens(const Tensor& map) { return map.flatten(2).transpose(1, 2).contiguous(); }

/// [B,3,S,S] -> [B,N,3*p*p]: N = (S/p)^2 patches in reading order, each stored channel by channel.
inline Tensor patchify(const Tensor& images, std::int64_t patch) {
  const std::int64_t batch = images.size(0), channels = images.size(1), grid = images.size(2) / patch;
  return images.reshape({batch, channels, grid, patch, grid, patch})
      .permute({0, 2, 4, 1, 3, 5})
      .reshape({batch, grid * grid, channels * patch * patch});
}

/// The inverse of patchify.
inline Tensor unpatchify(const Tensor& patches, std::int64_t patch) {
  const std::int64_t batch = patches.size(0), grid = grid_side(patches.size(1));
  const std::int64_t channels = patches.size(2) / (patch * patch);
  return patches.reshape({batch, grid, grid, channels, patch, patch})
      .permute({0, 3, 1, 4, 2, 5})
      .reshape({batch, channels, grid * patch, grid * patch});
}

}  // namespace blip3u::layers
