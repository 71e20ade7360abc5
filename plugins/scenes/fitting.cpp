#include "scenes/fitting.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace blip3u::scenes {

namespace {

constexpr std::int64_t fine = Masks::fineness;

}  // namespace

Silhouette::Silhouette(std::int64_t side)
    : side_(side), masks_(Masks::of(side)), shares_(static_cast<std::size_t>(side * side), 0.0F) {}

void Silhouette::add(std::int64_t pixel, float share) {
  shares_[static_cast<std::size_t>(pixel)] = share;
  area_ += share;
  across_ += share * (static_cast<double>(pixel % side_) + 0.5);
  const std::int64_t row = pixel / side_;
  down_ += share * (static_cast<double>(row) + 0.5);
}

std::int64_t Silhouette::middle() const {
  return static_cast<std::int64_t>(down_ / area_) * side_ + static_cast<std::int64_t>(across_ / area_);
}

Fit Silhouette::best_fit(std::size_t shape, std::size_t size) const {
  const auto eighths = [&](double sum) { return static_cast<std::int64_t>(std::lround(sum / area_ * fine)); };
  Fit best;
  for (std::size_t blur = 0; blur < blurs.size(); ++blur) {
    std::int64_t right = eighths(across_), down = eighths(down_);
    float overlap = overlap_with(shape, size, blur, right, down);
    if (overlap < 0) break;
    for (std::int64_t step = fine / 2; step >= 1; step /= 2) {
      for (bool better = true; better;) {
        better = false;
        for (const auto& [across, along] :
             {std::pair<std::int64_t, std::int64_t>(step, 0), {-step, 0}, {0, step}, {0, -step}}) {
          const float there = overlap_with(shape, size, blur, right + across, down + along);
          if (there <= overlap) continue;
          overlap = there;
          right += across;
          down += along;
          better = true;
        }
      }
    }
    if (overlap <= best.overlap) continue;
    const auto share = [&](std::int64_t place) {
      return static_cast<double>(place) / static_cast<double>(fine * side_);
    };
    best = {.object = {.shape = shape, .colour = 0, .size = size, .x = share(right), .y = share(down)},
            .overlap = overlap};
  }
  return best;
}

/// With the mask whose centre lies so many eighths of a pixel right of and below the picture's corner.
float Silhouette::overlap_with(std::size_t shape, std::size_t size, std::size_t blur, std::int64_t right,
                               std::int64_t down) const {
  constexpr float least_ratio = 0.7F;
  if (right < 0 || down < 0 || right >= fine * side_ || down >= fine * side_) return -1;
  const Mask& mask = masks_->at(shape, size, blur, right % fine, down % fine);
  if (std::min(area_, mask.area) < least_ratio * std::max(area_, mask.area)) return -1;
  const std::int64_t left = right / fine - mask.half, top = down / fine - mask.half, width = 2 * mask.half + 1;
  const std::int64_t from = std::max<std::int64_t>(left, 0), to = std::min(left + width, side_);
  float both = 0;
  for (std::int64_t row = std::max<std::int64_t>(top, 0); row < std::min(top + width, side_); ++row) {
    const float* const ours = shares_.data() + row * side_;
    const float* const theirs = mask.shares.data() + (row - top) * width;
    for (std::int64_t column = from; column < to; ++column) both += std::min(ours[column], theirs[column - left]);
  }
  return both / (area_ + mask.area - both);
}

}  // namespace blip3u::scenes
