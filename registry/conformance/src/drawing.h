// Pictures of one coloured shape in the manner of easy-vqa, for the kit and for tests.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

namespace blip3u::conformance {

struct Drawing {
  std::size_t colour = 0;  ///< red, green, blue, yellow, teal, brown, black or gray
  std::size_t shape = 0;   ///< circle, rectangle or triangle
  double centre_x = 30.3, centre_y = 33.1, width = 22.4, height = 22.4;  ///< in pixels, usual for a picture of 64
};

/// [3,size,size] in [-1,1], 8 x 8 samples a pixel.
inline at::Tensor draw(const Drawing& drawing, std::int64_t size = 64) {
  constexpr std::array<float, 3> ground = {236, 240, 228};
  constexpr std::array<std::array<float, 3>, 8> inks = {
      {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {255, 255, 0}, {0, 128, 128}, {165, 42, 42}, {0, 0, 0}, {128, 128, 128}}};
  const auto& ink = inks.at(drawing.colour);
  const auto inside = [&](double u, double v) {
    const bool box = std::abs(u) <= 1 && std::abs(v) <= 1;
    if (drawing.shape == 0) return u * u + v * v <= 1;
    return drawing.shape == 1 ? box : box && std::abs(u) <= (v + 1) / 2;
  };
  std::vector<float> values(static_cast<std::size_t>(3 * size * size));
  for (std::int64_t y = 0; y < size; ++y) {
    for (std::int64_t x = 0; x < size; ++x) {
      int hits = 0;
      for (int sample = 0; sample < 64; ++sample) {
        const int column = sample % 8, row = sample / 8;
        const double u = (static_cast<double>(x) + (column + 0.5) / 8 - drawing.centre_x) / (drawing.width / 2);
        const double v = (static_cast<double>(y) + (row + 0.5) / 8 - drawing.centre_y) / (drawing.height / 2);
        if (inside(u, v)) ++hits;
      }
      const float covered = static_cast<float>(hits) / 64;
      for (std::size_t channel = 0; channel < 3; ++channel) {
        const float value = ground[channel] + (ink[channel] - ground[channel]) * covered;
        values[channel * static_cast<std::size_t>(size * size) + static_cast<std::size_t>(y * size + x)] =
            value / 127.5F - 1;
      }
    }
  }
  return at::tensor(values).view({3, size, size});
}

}  // namespace blip3u::conformance
