// Checks of the wiring that encoders and decoders on square grids of tokens share. None of them throws.
#pragma once

#include <bit>
#include <cstdint>
#include <string>

#include <fmt/format.h>

#include "blip3u/plugin.h"
#include "layers/patches.h"

namespace blip3u::layers {

/// Of every decoder.
inline constexpr ParameterSpec tokens_parameter =
    integer("tokens", 0, 0, 65536, "tokens that the encoder must make; 0 follows the encoder");

/// Whether the image can be cut into grid x grid equal patches; if not, rejects the parameter.
inline bool check_grid(std::int64_t grid, const char* parameter, Wiring& wiring) {
  if (wiring.image_size % grid == 0) return true;
  wiring.reject(parameter, fmt::format("a grid of {0} x {0} does not divide images of {1} x {1} pixels; choose a "
                                       "divisor of {1}, or another image size",
                                       grid, wiring.image_size));
  return false;
}

/// Strided convolutions halve the image until the grid is left, so the patch side must be a power of two, at least 2.
inline void check_halvings(std::int64_t grid, const char* parameter, Wiring& wiring) {
  const std::int64_t patch = wiring.image_size / grid;
  if (patch >= 2 && std::has_single_bit(static_cast<std::uint64_t>(patch))) return;
  wiring.reject(parameter, fmt::format("strided convolutions halve {0} x {0} pixels until {1} x {1} tokens are left, "
                                       "but {0} / {1} is not 2, 4, 8, ...; choose another grid or image size",
                                       wiring.image_size, grid));
}

inline void check_heads(std::int64_t width, std::int64_t heads, const char* parameter, Wiring& wiring) {
  if (width % heads == 0) return;
  wiring.reject(parameter, fmt::format("{} heads do not divide the width {}; choose a divisor", heads, width));
}

/// What every decoder of square grids demands of the encoder before it. Returns the side of the grid, or 0 if
/// something was rejected. `tokens` is the decoder's parameter of that name: 0 follows the encoder.
inline std::int64_t check_decoder(std::int64_t tokens, Wiring& wiring) {
  const Layout& features = wiring.features;
  if (features.tokens == 0) {
    wiring.reject("", "it turns features into pixels, but the pipeline has no encoder; add one");
    return 0;
  }
  if (features.codebook != 0) {
    wiring.reject("",
                  "it decodes continuous features, but the encoder makes codes; choose the decoder that belongs to "
                  "the encoder");
    return 0;
  }
  if (tokens != 0 && tokens != features.tokens) {
    wiring.reject("tokens", fmt::format("it decodes {0} tokens, but the encoder makes {1}; set tokens to {1}, or to 0, "
                                        "which follows the encoder",
                                        tokens, features.tokens));
    return 0;
  }
  const std::int64_t grid = grid_side(features.tokens);
  if (grid == 0) {
    wiring.reject("", fmt::format("it needs a square grid of tokens, but the encoder makes {}", features.tokens));
    return 0;
  }
  return check_grid(grid, "", wiring) ? grid : 0;
}

}  // namespace blip3u::layers
