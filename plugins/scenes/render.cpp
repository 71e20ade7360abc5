#include "scenes/render.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include <ATen/ops/empty.h>

namespace blip3u::scenes {

namespace {

/// Calls take(pixel, share) for all pixels that the object covers at all.
template <class Take>
void cover(const Object& object, std::int64_t side, const Take& take) {
  constexpr int fineness = 5;
  const Extent extent = extent_of(object.shape, object.size);
  const double radius = radii[object.size], pixel = 1.0 / static_cast<double>(side);
  const auto bound = [&](double place) {
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(place / pixel)), 0, side - 1);
  };
  for (std::int64_t row = bound(object.y - extent.up); row <= bound(object.y + extent.down); ++row) {
    for (std::int64_t column = bound(object.x - extent.left); column <= bound(object.x + extent.right); ++column) {
      int hits = 0;
      for (int part = 0; part < fineness * fineness; ++part) {
        const double x = (static_cast<double>(column) + (part % fineness + 0.5) / fineness) * pixel;
        const double y = (static_cast<double>(row) + (part / fineness + 0.5) / fineness) * pixel;
        hits += covers(object.shape, (x - object.x) / radius, (y - object.y) / radius) ? 1 : 0;
      }
      if (hits > 0) take(row * side + column, static_cast<float>(hits) / (fineness * fineness));
    }
  }
}

}  // namespace

std::vector<float> coverage_of(const Object& object, std::int64_t side) {
  std::vector<float> coverage(static_cast<std::size_t>(side * side), 0.0F);
  cover(object, side, [&](std::int64_t pixel, float share) { coverage[static_cast<std::size_t>(pixel)] = share; });
  return coverage;
}

Tensor render(const Scene& scene, std::int64_t side) {
  Tensor picture = at::empty({3, side, side}, at::kByte);
  auto* const bytes = picture.data_ptr<std::uint8_t>();
  const std::int64_t plane = side * side;
  for (std::int64_t channel = 0; channel < 3; ++channel) {
    std::fill_n(bytes + channel * plane, plane, static_cast<std::uint8_t>(grounds[scene.mood][channel]));
  }
  for (const Object& object : scene.objects) {
    cover(object, side, [&](std::int64_t pixel, float share) {
      for (std::int64_t channel = 0; channel < 3; ++channel) {
        std::uint8_t& value = bytes[channel * plane + pixel];
        const float mixed = static_cast<float>(value) * (1 - share) + palette[object.colour][channel] * share;
        value = static_cast<std::uint8_t>(std::lround(mixed));
      }
    });
  }
  return picture;
}

}  // namespace blip3u::scenes
