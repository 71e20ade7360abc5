// Where the tokens of a grid are, as learned vectors.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <string_view>

#include <fmt/format.h>
#include <torch/torch.h>

#include "blip3u/module_component.h"
#include "blip3u/parameters.h"
#include "blip3u/plugin.h"
#include "layers/patches.h"

namespace blip3u::layers {

inline constexpr const char* position_starts[] = {"sin_cos", "random"};
inline constexpr const char* positions_documentation =
    "what the learned positions start from: sinusoids of row and column, or small random vectors";

/// Sines and cosines of row and column (Vaswani et al. 2017, in two dimensions) with unit amplitude: [grid^2,width].
inline Tensor sin_cos_positions(std::int64_t grid, std::int64_t width) {
  const std::int64_t waves = (width + 3) / 4;
  const Tensor frequency =
      torch::exp(torch::arange(waves) * (-std::log(10000.0) / static_cast<double>(waves))) * (std::numbers::pi / 2);
  const Tensor place = torch::arange(grid * grid);
  const Tensor row = place.div(grid, "floor").unsqueeze(1) * frequency;
  const Tensor column = place.remainder(grid).unsqueeze(1) * frequency;
  return torch::cat({row.sin(), row.cos(), column.sin(), column.cos()}, 1).slice(1, 0, width).contiguous();
}

/// The start of a learned table of positions [tokens,width]; `start` is one of position_starts, as check_positions()
/// allows it.
inline Tensor token_positions(std::string_view start, std::int64_t tokens, std::int64_t width, std::uint64_t seed) {
  if (start == "sin_cos") return sin_cos_positions(grid_side(tokens), width);
  return learned_table({tokens, width}, 0.02, seed, "positions");
}

/// Rejects sinusoids, in the parameter of that name, for an encoder whose tokens have no rows and columns.
inline void check_positions(const Parameters& parameters, const char* name, std::int64_t tokens, Wiring& wiring) {
  if (parameters.text(name) != "sin_cos" || tokens == 0 || grid_side(tokens) > 0) return;
  wiring.reject(name,
                fmt::format("the encoder's tokens form no square grid of rows and columns; set {}: random", name));
}

}  // namespace blip3u::layers
