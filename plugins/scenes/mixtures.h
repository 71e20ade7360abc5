// Pixels as mixtures of the ground and one colour of the palette, compared in OKLab (Ottosson 2020).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "scenes/scene.h"

namespace blip3u::scenes {

using Pixel = std::array<std::uint8_t, 3>;
using Lab = std::array<float, 3>;

Lab to_lab(const Pixel& pixel);
float distance(const Lab& a, const Lab& b);

/// A pixel's share of a colour, and how far that mixture with the ground is from the pixel.
struct Mixture {
  float share = 0, distance = 0;
};

/// Mixtures of two colours, as antialiasing makes them: linear in the bytes.
class Line {
 public:
  Line() = default;
  Line(const Colour& from, const Colour& to);
  Mixture nearest(const Pixel& pixel, const Lab& lab) const;

 private:
  static constexpr std::size_t steps = 32;
  Colour from_{}, way_{};
  float square_ = 1;
  std::array<Lab, steps + 1> labs_{};
};

/// The mixtures of one ground with each colour.
using Lines = std::array<Line, colours.size()>;
const Lines& lines_from(std::size_t mood);

}  // namespace blip3u::scenes
