// The renderer's own masks, at every eighth of a pixel and in several degrees of blur: what shapes are recognised by.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "scenes/scene.h"

namespace blip3u::scenes {

/// Standard deviations of the blur, in pixels.
inline constexpr std::array<double, 4> blurs = {0, 0.5, 0.75, 1.0};

/// A square of coverages around a centre.
struct Mask {
  std::int64_t half = 0;      ///< it reaches so many pixels to each side of the pixel of the centre
  std::vector<float> shares;  ///< (2 half + 1)^2, row by row
  float area = 0;             ///< their sum
};

class Masks {
 public:
  static constexpr std::int64_t fineness = 8;

  /// Of pictures of that many pixels a side; made once and kept.
  static std::shared_ptr<const Masks> of(std::int64_t side);

  explicit Masks(std::int64_t side);

  /// With its centre x and y eighths of a pixel right of and below the upper left corner of its pixel, each below 8.
  const Mask& at(std::size_t shape, std::size_t size, std::size_t blur, std::int64_t x, std::int64_t y) const {
    return masks_[((shape * sizes.size() + size) * blurs.size() + blur) * fineness * fineness +
                  static_cast<std::size_t>(y * fineness + x)];
  }

 private:
  std::vector<Mask> masks_;
};

}  // namespace blip3u::scenes
