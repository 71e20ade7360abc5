// The renderer's mask that overlaps an object best.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "scenes/masks.h"

namespace blip3u::scenes {

/// An object of a shape and size where it overlaps best, and by how much: soft intersection over union, or less than 0
/// where the areas alone tell that it is little. Its colour is not looked at.
struct Fit {
  Object object;
  float overlap = -1;
};

/// The pixels of one object, and which share of each it has.
class Silhouette {
 public:
  explicit Silhouette(std::int64_t side);

  void add(std::int64_t pixel, float share);

  /// The pixel at the centre of its mass.
  std::int64_t middle() const;

  /// The best mask of a shape and size, of all blurs and places in eighths of a pixel: by descent from the middle.
  Fit best_fit(std::size_t shape, std::size_t size) const;

 private:
  float overlap_with(std::size_t shape, std::size_t size, std::size_t blur, std::int64_t right,
                     std::int64_t down) const;

  std::int64_t side_;
  std::shared_ptr<const Masks> masks_;
  std::vector<float> shares_;  // of all pixels of the picture
  float area_ = 0;
  double across_ = 0, down_ = 0;  // of its mass
};

}  // namespace blip3u::scenes
