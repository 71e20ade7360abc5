// Pictures of one coloured shape, drawn by the tests' own rules: 8 x 8 samples a pixel.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

#include "eval/shapes.h"

namespace blip3u::eval {

struct Drawing {
  ColouredShape what;
  double centre_x, centre_y, width, height;  // in pixels
};

inline at::Tensor draw(const Drawing& drawing, std::int64_t size = 64, std::array<float, 3> ground = {236, 240, 228}) {
  constexpr std::array<std::array<float, 3>, 8> rgb = {
      {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {255, 255, 0}, {0, 128, 128}, {165, 42, 42}, {0, 0, 0}, {128, 128, 128}}};
  const auto& ink = rgb[drawing.what.colour];
  std::vector<float> values(static_cast<std::size_t>(3 * size * size));
  for (std::int64_t y = 0; y < size; ++y) {
    for (std::int64_t x = 0; x < size; ++x) {
      int hits = 0;
      for (int sample = 0; sample < 64; ++sample) {
        const double u = (static_cast<double>(x) + (sample % 8 + 0.5) / 8 - drawing.centre_x) / (drawing.width / 2);
        const double v = (static_cast<double>(y) + (sample / 8 + 0.5) / 8 - drawing.centre_y) / (drawing.height / 2);
        const bool circle = u * u + v * v <= 1, box = std::abs(u) <= 1 && std::abs(v) <= 1;
        const bool triangle = box && std::abs(u) <= (v + 1) / 2;
        if (drawing.what.shape == 0 ? circle : drawing.what.shape == 1 ? box : triangle) ++hits;
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

/// A picture of easy-vqa's usual size and place.
inline at::Tensor draw(const ColouredShape& what) {
  return draw({.what = what, .centre_x = 30.3, .centre_y = 33.1, .width = 22.4, .height = 22.4});
}

}  // namespace blip3u::eval
