#include "scenes/masks.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <numeric>

#include "scenes/render.h"

namespace blip3u::scenes {

namespace {

constexpr std::int64_t reach = 3;  // of the blur, in pixels

/// The coverage around a centre that lies so many eighths of a pixel within its pixel.
Mask sharp_mask(std::size_t shape, std::size_t size, std::int64_t x, std::int64_t y, std::int64_t side) {
  const Extent extent = extent_of(shape, size);
  const double widest = std::max({extent.left, extent.right, extent.up, extent.down});
  Mask mask{.half = static_cast<std::int64_t>(std::ceil(widest * static_cast<double>(side))) + reach, .shares = {}};
  const std::int64_t centre = side / 2, width = 2 * mask.half + 1;
  const auto place = [&](std::int64_t eighths) {
    return (static_cast<double>(centre) + static_cast<double>(eighths) / Masks::fineness) / static_cast<double>(side);
  };
  const std::vector<float> coverage =
      coverage_of({.shape = shape, .colour = 0, .size = size, .x = place(x), .y = place(y)}, side);
  mask.shares.assign(static_cast<std::size_t>(width * width), 0.0F);
  for (std::int64_t row = 0; row < width; ++row) {
    for (std::int64_t column = 0; column < width; ++column) {
      const std::int64_t from_row = centre - mask.half + row, from_column = centre - mask.half + column;
      if (std::min(from_row, from_column) < 0 || std::max(from_row, from_column) >= side) continue;
      mask.shares[static_cast<std::size_t>(row * width + column)] =
          coverage[static_cast<std::size_t>(from_row * side + from_column)];
    }
  }
  return mask;
}

/// Blurs along rows, and gives the result turned, so that twice blurs both ways.
std::vector<float> blurred_and_turned(const std::vector<float>& shares, std::int64_t width, double deviation) {
  std::array<float, 2 * reach + 1> weights{};
  for (std::int64_t i = -reach; i <= reach; ++i) {
    const double distance = static_cast<double>(i) / deviation;
    weights[static_cast<std::size_t>(i + reach)] = static_cast<float>(std::exp(-distance * distance / 2));
  }
  const float total = std::accumulate(weights.begin(), weights.end(), 0.0F);
  std::vector<float> turned(shares.size(), 0.0F);
  for (std::int64_t row = 0; row < width; ++row) {
    for (std::int64_t column = 0; column < width; ++column) {
      float sum = 0;
      for (std::int64_t i = std::max(-reach, -column); i <= std::min(reach, width - 1 - column); ++i) {
        sum +=
            weights[static_cast<std::size_t>(i + reach)] * shares[static_cast<std::size_t>(row * width + column + i)];
      }
      turned[static_cast<std::size_t>(column * width + row)] = sum / total;
    }
  }
  return turned;
}

}  // namespace

std::shared_ptr<const Masks> Masks::of(std::int64_t side) {
  static std::mutex mutex;
  static std::map<std::int64_t, std::shared_ptr<const Masks>> known;
  const std::lock_guard lock(mutex);
  std::shared_ptr<const Masks>& masks = known[side];
  if (masks == nullptr) masks = std::make_shared<Masks>(side);
  return masks;
}

Masks::Masks(std::int64_t side) : masks_(shapes.size() * sizes.size() * blurs.size() * fineness * fineness) {
  for (std::size_t shape = 0; shape < shapes.size(); ++shape) {
    for (std::size_t size = 0; size < sizes.size(); ++size) {
      for (std::int64_t place = 0; place < fineness * fineness; ++place) {
        const Mask sharp = sharp_mask(shape, size, place % fineness, place / fineness, side);
        for (std::size_t blur = 0; blur < blurs.size(); ++blur) {
          Mask& mask = masks_[((shape * sizes.size() + size) * blurs.size() + blur) * fineness * fineness +
                              static_cast<std::size_t>(place)];
          mask = sharp;
          for (int way = 0; way < 2 && blurs[blur] > 0; ++way) {
            mask.shares = blurred_and_turned(mask.shares, 2 * mask.half + 1, blurs[blur]);
          }
          mask.area = std::accumulate(mask.shares.begin(), mask.shares.end(), 0.0F);
        }
      }
    }
  }
}

}  // namespace blip3u::scenes
