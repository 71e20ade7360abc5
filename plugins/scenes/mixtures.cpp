#include "scenes/mixtures.h"

#include <algorithm>
#include <cmath>

namespace blip3u::scenes {

namespace {

float linear(std::size_t byte) {
  static const std::array<float, 256> table = [] {
    std::array<float, 256> values{};
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double value = static_cast<double>(i) / 255;
      values[i] = static_cast<float>(value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4));
    }
    return values;
  }();
  return table[byte];
}

}  // namespace

Lab to_lab(const Pixel& pixel) {
  const float r = linear(pixel[0]), g = linear(pixel[1]), b = linear(pixel[2]);
  const float l = std::cbrt(0.4122214708F * r + 0.5363325363F * g + 0.0514459929F * b);
  const float m = std::cbrt(0.2119034982F * r + 0.6806995451F * g + 0.1073969566F * b);
  const float s = std::cbrt(0.0883024619F * r + 0.2817188376F * g + 0.6299787005F * b);
  return {0.2104542553F * l + 0.7936177850F * m - 0.0040720468F * s,
          1.9779984951F * l - 2.4285922050F * m + 0.4505937099F * s,
          0.0259040371F * l + 0.7827717662F * m - 0.8086757660F * s};
}

float distance(const Lab& a, const Lab& b) {
  const float x = a[0] - b[0], y = a[1] - b[1], z = a[2] - b[2];
  return std::sqrt(x * x + y * y + z * z);
}

Line::Line(const Colour& from, const Colour& to) : from_(from) {
  square_ = 0;
  for (std::size_t channel = 0; channel < 3; ++channel) {
    way_[channel] = to[channel] - from[channel];
    square_ += way_[channel] * way_[channel];
  }
  for (std::size_t step = 0; step <= steps; ++step) {
    Pixel mixed{};
    for (std::size_t channel = 0; channel < 3; ++channel) {
      const float value = from[channel] + way_[channel] * static_cast<float>(step) / steps;
      mixed[channel] = static_cast<std::uint8_t>(std::lround(value));
    }
    labs_[step] = to_lab(mixed);
  }
}

Mixture Line::nearest(const Pixel& pixel, const Lab& lab) const {
  float along = 0;
  for (std::size_t channel = 0; channel < 3; ++channel) {
    along += (static_cast<float>(pixel[channel]) - from_[channel]) * way_[channel];
  }
  const float share = std::clamp(along / square_, 0.0F, 1.0F);
  return {share, distance(lab, labs_[static_cast<std::size_t>(std::lround(share * steps))])};
}

const Lines& lines_from(std::size_t mood) {
  static const std::array<Lines, moods.size()> all = [] {
    std::array<Lines, moods.size()> lines{};
    for (std::size_t ground = 0; ground < moods.size(); ++ground) {
      for (std::size_t colour = 0; colour < colours.size(); ++colour) {
        lines[ground][colour] = Line(grounds[ground], palette[colour]);
      }
    }
    return lines;
  }();
  return all.at(mood);
}

}  // namespace blip3u::scenes
