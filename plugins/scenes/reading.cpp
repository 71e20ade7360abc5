#include "scenes/reading.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "blip3u/image.h"
#include "scenes/fitting.h"
#include "scenes/mixtures.h"

namespace blip3u::scenes {

namespace {

// Distances are of OKLab, where the palette's nearest two, blue and purple, lie 0.16 apart, and yellow and blue 0.54.
constexpr float like_ground = 0.09F;     // so near to a ground, a pixel counts for it
constexpr double least_ground = 0.3;     // the ground's share of all pixels; four large objects leave 0.6
constexpr float like_mixture = 0.09F;    // so near to a mixture, a pixel is one
constexpr float clearer = 0.02F;         // and by so much nearer than to mixtures with another colour
constexpr float least_core = 0.6F;       // share of a colour in a pixel from which objects are found
constexpr float least_body = 0.3F;       // share of it in a pixel beyond which an object may go on
constexpr float like_colour = 0.055F;    // so near to mixtures with its colour half an object's pixels are
constexpr float unlike_ground = 0.13F;   // so far from the ground, a pixel that no object explains is unclear
constexpr double least_area = 0.006;     // of an object's cores, in shares of the picture; smallest shape: 0.0246
constexpr double least_unclear = 0.006;  // of connected unclear pixels
constexpr double most_unclear = 0.03;    // of all unclear pixels
constexpr float least_margin = 0.02F;    // by which it overlaps masks of other shapes and sizes less

/// A pixel's share in an object.
struct Part {
  std::int64_t pixel = 0;
  float share = 0;
};

/// Connected pixels of one colour.
struct Region {
  std::size_t colour = 0;
  std::vector<Part> parts;
};

/// By how much an object must overlap its mask, soft intersection over union: pixels at the rim are fewer of a larger
/// picture's.
float least_overlap(std::int64_t side) { return 0.83F + 0.06F * static_cast<float>(side - 32) / 32; }

class PictureReader {
 public:
  explicit PictureReader(const Tensor& picture) {
    if (!picture.defined() || picture.dim() != 3 || picture.size(0) != 3 || picture.size(1) != picture.size(2) ||
        picture.size(1) < 32 || picture.size(1) > 64) {
      throw Error("scenes scorer: a picture must have the shape [3,S,S] with S from 32 to 64; bring it to that size");
    }
    side_ = picture.size(1);
    const Tensor bytes = (picture.scalar_type() == at::kByte ? picture.cpu() : to_bytes(picture)).contiguous();
    const auto* const values = bytes.const_data_ptr<std::uint8_t>();
    const std::int64_t plane = side_ * side_;
    for (std::int64_t i = 0; i < plane; ++i) {
      pixels_.push_back({values[i], values[plane + i], values[2 * plane + i]});
      labs_.push_back(to_lab(pixels_.back()));
    }
    owner_.assign(pixels_.size(), nobody);
  }

  Reading read() {
    find_ground();
    if (!reading_.mood) {
      reading_.reasons.emplace_back("no ground of the three");
      return reading_;
    }
    find_cores();
    grow();
    find_unclear();
    for (const Region& region : regions_) recognise(region);
    return reading_;
  }

 private:
  static constexpr std::int32_t nobody = -1;

  bool inside(std::int64_t row, std::int64_t column) const {
    return row >= 0 && column >= 0 && row < side_ && column < side_;
  }

  /// Calls take(pixel) for the eight neighbours, or the four nearest of them.
  template <class Take>
  void for_neighbours(std::int64_t pixel, bool diagonal, const Take& take) const {
    const std::int64_t row = pixel / side_, column = pixel % side_;
    for (std::int64_t down = -1; down <= 1; ++down) {
      for (std::int64_t right = -1; right <= 1; ++right) {
        if ((down == 0 && right == 0) || (!diagonal && down != 0 && right != 0)) continue;
        if (inside(row + down, column + right)) take((row + down) * side_ + column + right);
      }
    }
  }

  /// Pixels connected with the first that `joins` accepts; each is marked by it, so that it accepts none twice.
  template <class Joins>
  std::vector<std::int64_t> connected(std::int64_t first, bool diagonal, const Joins& joins) const {
    std::vector<std::int64_t> found;
    if (joins(first)) found.push_back(first);
    for (std::size_t next = 0; next < found.size(); ++next) {
      for_neighbours(found[next], diagonal, [&](std::int64_t pixel) {
        if (joins(pixel)) found.push_back(pixel);
      });
    }
    return found;
  }

  std::int64_t pixel_count(double share) const {
    return static_cast<std::int64_t>(std::ceil(share * static_cast<double>(pixels_.size())));
  }

  void find_ground() {
    std::array<std::int64_t, moods.size()> counts{};
    for (const Lab& lab : labs_) {
      std::size_t nearest = 0;
      std::array<float, moods.size()> away{};
      for (std::size_t mood = 0; mood < moods.size(); ++mood) {
        away[mood] = distance(lab, ground_lab(mood));
        if (away[mood] < away[nearest]) nearest = mood;
      }
      if (away[nearest] < like_ground) ++counts[nearest];
    }
    const auto most = std::ranges::max_element(counts);
    if (*most >= pixel_count(least_ground)) reading_.mood = static_cast<std::size_t>(most - counts.begin());
  }

  static Lab ground_lab(std::size_t mood) {
    static const std::array<Lab, moods.size()> labs = [] {
      std::array<Lab, moods.size()> values{};
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = to_lab(bytes_of(grounds[i]));
      return values;
    }();
    return labs[mood];
  }

  static Pixel bytes_of(const Colour& colour) {
    return {static_cast<std::uint8_t>(colour[0]), static_cast<std::uint8_t>(colour[1]),
            static_cast<std::uint8_t>(colour[2])};
  }

  Mixture mixture(std::int64_t pixel, std::size_t colour) const {
    const auto place = static_cast<std::size_t>(pixel);
    return lines_from(*reading_.mood)[colour].nearest(pixels_[place], labs_[place]);
  }

  /// The colour that most of a pixel is, if that is clear.
  std::optional<std::size_t> core_colour(std::int64_t pixel) const {
    if (distance(labs_[static_cast<std::size_t>(pixel)], ground_lab(*reading_.mood)) < like_ground) return std::nullopt;
    std::size_t best = 0;
    float nearest = 1, second = 1, share = 0;
    for (std::size_t colour = 0; colour < colours.size(); ++colour) {
      const Mixture mixed = mixture(pixel, colour);
      if (mixed.share < least_core) continue;
      if (mixed.distance < nearest) {
        second = nearest;
        nearest = mixed.distance;
        best = colour;
        share = mixed.share;
      } else {
        second = std::min(second, mixed.distance);
      }
    }
    if (share < least_core || nearest > like_mixture || second - nearest < clearer) return std::nullopt;
    return best;
  }

  void find_cores() {
    constexpr std::size_t none = colours.size();
    std::vector<std::size_t> colour_of(pixels_.size(), none);
    for (std::size_t i = 0; i < pixels_.size(); ++i) {
      colour_of[i] = core_colour(static_cast<std::int64_t>(i)).value_or(none);
    }
    for (std::size_t i = 0; i < pixels_.size(); ++i) {
      const std::size_t colour = colour_of[i];
      if (colour == none) continue;
      const auto found = connected(static_cast<std::int64_t>(i), /*diagonal=*/false, [&](std::int64_t pixel) {
        std::size_t& known = colour_of[static_cast<std::size_t>(pixel)];
        return known == colour && (known = none, true);
      });
      if (std::ssize(found) < pixel_count(least_area) || is_thin(found)) continue;
      regions_.push_back({.colour = colour, .parts = {}});
      for (const std::int64_t pixel : found) give(pixel, regions_.size() - 1, mixture(pixel, colour).share);
    }
  }

  /// Whether no four of these pixels make a square: an edge may have the very colour of something else throughout.
  bool is_thin(const std::vector<std::int64_t>& pixels) const {
    const auto has = [sorted = sorted_copy(pixels)](std::int64_t pixel) {
      return std::ranges::binary_search(sorted, pixel);
    };
    return std::ranges::none_of(pixels, [&](std::int64_t pixel) {
      return pixel % side_ + 1 < side_ && has(pixel + 1) && has(pixel + side_) && has(pixel + side_ + 1);
    });
  }

  static std::vector<std::int64_t> sorted_copy(std::vector<std::int64_t> pixels) {
    std::ranges::sort(pixels);
    return pixels;
  }

  void give(std::int64_t pixel, std::size_t region, float share) {
    regions_[region].parts.push_back({pixel, share});
    owner_[static_cast<std::size_t>(pixel)] = static_cast<std::int32_t>(region);
  }

  /// Objects take in the mixed pixels around them, ring by ring.
  void grow() {
    std::vector<std::size_t> done(regions_.size(), 0);
    for (bool going = true; going;) {
      std::vector<std::pair<std::int64_t, std::size_t>> ring;  // pixels, each with an object beside it
      for (std::size_t region = 0; region < regions_.size(); ++region) {
        for (; done[region] < regions_[region].parts.size(); ++done[region]) {
          const Part part = regions_[region].parts[done[region]];
          if (part.share < least_body) continue;
          for_neighbours(part.pixel, /*diagonal=*/true, [&](std::int64_t pixel) {
            if (owner_[static_cast<std::size_t>(pixel)] == nobody) ring.emplace_back(pixel, region);
          });
        }
      }
      std::ranges::sort(ring);
      ring.erase(std::unique(ring.begin(), ring.end()), ring.end());
      going = false;
      for (std::size_t first = 0, last = 0; first < ring.size(); first = last) {
        while (last < ring.size() && ring[last].first == ring[first].first) ++last;
        going = take_in({ring.begin() + static_cast<std::ptrdiff_t>(first),
                         ring.begin() + static_cast<std::ptrdiff_t>(last)}) ||
                going;
      }
    }
  }

  /// Gives a pixel to that of the objects beside it which explains it best, or to two that touch there.
  bool take_in(std::span<const std::pair<std::int64_t, std::size_t>> beside) {
    const std::int64_t pixel = beside[0].first;
    Mixture best{.share = 0, .distance = like_mixture};
    std::size_t taker = regions_.size();
    for (const auto& [same, region] : beside) {
      const Mixture mixed = mixture(pixel, regions_[region].colour);
      if (mixed.distance >= best.distance) continue;
      best = mixed;
      taker = region;
    }
    if (taker < regions_.size()) {
      give(pixel, taker, best.share);
      return true;
    }
    if (beside.size() != 2) return false;
    const Line between(palette[regions_[beside[0].second].colour], palette[regions_[beside[1].second].colour]);
    const auto place = static_cast<std::size_t>(pixel);
    const Mixture mixed = between.nearest(pixels_[place], labs_[place]);
    if (mixed.distance >= like_mixture) return false;
    give(pixel, beside[0].second, 1 - mixed.share);
    give(pixel, beside[1].second, mixed.share);
    return true;
  }

  std::string at(std::int64_t pixel) const {
    const auto share = [&](std::int64_t place) {
      return (static_cast<double>(place) + 0.5) / static_cast<double>(side_);
    };
    return fmt::format("{:.2f} {:.2f}", share(pixel % side_), share(pixel / side_));
  }

  /// What no object explains.
  void find_unclear() {
    std::vector<char> open(pixels_.size(), 0);
    std::int64_t total = 0;
    for (std::size_t i = 0; i < pixels_.size(); ++i) {
      const bool unclear = owner_[i] == nobody && distance(labs_[i], ground_lab(*reading_.mood)) > unlike_ground;
      open[i] = unclear ? 1 : 0;
      total += open[i];
    }
    if (total >= pixel_count(most_unclear)) reading_.reasons.push_back(fmt::format("{} unclear pixels", total));
    for (std::size_t i = 0; i < pixels_.size(); ++i) {
      const auto found = connected(static_cast<std::int64_t>(i), /*diagonal=*/true, [&](std::int64_t pixel) {
        return std::exchange(open[static_cast<std::size_t>(pixel)], 0) == 1;
      });
      if (std::ssize(found) < pixel_count(least_unclear)) continue;
      reading_.reasons.push_back("something unclear at " + at(found[found.size() / 2]));
    }
  }

  /// Whether half of its pixels that are mostly of the colour are clearly mixtures with it.
  bool has_colour(const Region& region) const {
    std::vector<float> away;
    for (const Part& part : region.parts) {
      if (part.share >= least_core) away.push_back(mixture(part.pixel, region.colour).distance);
    }
    const auto middle = away.begin() + std::ssize(away) / 2;
    std::ranges::nth_element(away, middle);
    return *middle < like_colour;
  }

  void recognise(const Region& region) {
    Silhouette silhouette(side_);
    for (const Part& part : region.parts) silhouette.add(part.pixel, part.share);
    Fit best, second;
    for (std::size_t shape = 0; shape < shapes.size(); ++shape) {
      for (std::size_t size = 0; size < sizes.size(); ++size) {
        Fit fit = silhouette.best_fit(shape, size);
        if (fit.overlap > best.overlap) std::swap(fit, best);
        if (fit.overlap > second.overlap) second = fit;
      }
    }
    if (best.overlap >= least_overlap(side_) && best.overlap - second.overlap >= least_margin && has_colour(region)) {
      best.object.colour = region.colour;
      reading_.objects.push_back(best.object);
    } else {
      const std::int64_t middle = silhouette.middle();
      reading_.reasons.push_back(fmt::format("something {} at {} that overlaps a {} {} by {:.2f}",
                                             colours[region.colour], at(middle), sizes[best.object.size],
                                             shapes[best.object.shape], std::max(best.overlap, 0.0F)));
    }
  }

  std::int64_t side_ = 0;
  std::vector<Pixel> pixels_;
  std::vector<Lab> labs_;
  std::vector<std::int32_t> owner_;  // of each pixel: a region, or nobody
  std::vector<Region> regions_;
  Reading reading_;
};

}  // namespace

std::optional<Scene> Reading::scene() const { return clear() ? std::optional(Scene{*mood, objects}) : std::nullopt; }

std::string Reading::text() const {
  std::string text = mood ? to_text(Scene{.mood = *mood, .objects = objects}) : "?";
  for (const std::string& reason : reasons) text += "; " + reason;
  return text;
}

Reading read_scene(const Tensor& picture) { return PictureReader(picture).read(); }

}  // namespace blip3u::scenes
