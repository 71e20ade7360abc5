#include "easy_vqa/shapes.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <vector>

#include <fmt/format.h>

#include "blip3u/error.h"

namespace blip3u::easy_vqa {

namespace {

using Colour = std::array<float, 3>;  // in 0..255

constexpr std::array<Colour, colours.size()> palette = {
    {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {255, 255, 0}, {0, 128, 128}, {165, 42, 42}, {0, 0, 0}, {128, 128, 128}}};

float distance(const Colour& a, const Colour& b) {
  return std::sqrt((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]) + (a[2] - b[2]) * (a[2] - b[2]));
}

struct Picture {
  std::int64_t height = 0, width = 0;
  std::vector<Colour> pixels;  // row by row
};

Picture picture_of(const Tensor& image) {
  if (!image.defined() || image.dim() != 3 || image.size(0) != 3 || image.numel() == 0) {
    throw Error("shapes scorer: an image must have the shape [3,H,W]");
  }
  const Tensor plain = image.to(at::kCPU, at::kFloat).contiguous();
  Picture picture{.height = plain.size(1), .width = plain.size(2), .pixels = {}};
  const auto plane = static_cast<std::size_t>(picture.height * picture.width);
  picture.pixels.resize(plane);
  const float* values = plain.const_data_ptr<float>();
  for (std::size_t channel = 0; channel < 3; ++channel) {
    for (std::size_t i = 0; i < plane; ++i) {
      picture.pixels[i][channel] = (values[channel * plane + i] + 1.0F) * 127.5F;
    }
  }
  return picture;
}

float quantile(std::vector<float> values, double share) {
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

Colour median_colour(const std::vector<Colour>& pixels) {
  Colour median{};
  std::vector<float> values(pixels.size());
  for (std::size_t channel = 0; channel < 3; ++channel) {
    std::ranges::transform(pixels, values.begin(), [&](const Colour& pixel) { return pixel[channel]; });
    median[channel] = quantile(values, 0.5);
  }
  return median;
}

std::size_t nearest_colour(const Colour& colour) {
  const auto nearest =
      std::ranges::min_element(palette, {}, [&](const Colour& candidate) { return distance(candidate, colour); });
  return static_cast<std::size_t>(nearest - palette.begin());
}

/// Where the pixel of that index lies in a picture of that width.
struct Place {
  std::int64_t column = 0, row = 0;
};

Place place_of(std::size_t index, std::int64_t width) {
  return {.column = static_cast<std::int64_t>(index) % width, .row = static_cast<std::int64_t>(index) / width};
}

/// What of the picture is not its background: pixels further than 60 from the median colour.
struct Foreground {
  Colour background{};
  std::vector<float> distances;     // of every pixel from the background
  std::vector<std::size_t> pixels;  // the foreground's
};

Foreground foreground_of(const Picture& picture) {
  Foreground result;
  result.background = median_colour(picture.pixels);
  result.distances.reserve(picture.pixels.size());
  for (std::size_t i = 0; i < picture.pixels.size(); ++i) {
    result.distances.push_back(distance(picture.pixels[i], result.background));
    if (result.distances.back() > 60) result.pixels.push_back(i);
  }
  return result;
}

bool is_empty(const Foreground& foreground, const Picture& picture) {
  return static_cast<double>(foreground.pixels.size()) < 12.0 / 4096 * static_cast<double>(picture.pixels.size());
}

std::vector<Colour> colours_at(const Picture& picture, const std::vector<std::size_t>& indices) {
  std::vector<Colour> colours;
  colours.reserve(indices.size());
  for (const auto index : indices) colours.push_back(picture.pixels[index]);
  return colours;
}

ShapeReading read_by_fill_ratio(const Picture& picture) {
  const auto foreground = foreground_of(picture);
  if (is_empty(foreground, picture)) return {.found = {}, .reason = "no object"};
  std::int64_t top = picture.height, bottom = 0, left = picture.width, right = 0;
  for (const auto index : foreground.pixels) {
    const auto [column, row] = place_of(index, picture.width);
    top = std::min(top, row);
    bottom = std::max(bottom, row + 1);
    left = std::min(left, column);
    right = std::max(right, column + 1);
  }
  const double fill =
      static_cast<double>(foreground.pixels.size()) / static_cast<double>((bottom - top) * (right - left));
  const std::size_t shape = fill > 0.92 ? 1 : fill > 0.66 ? 0 : 2;
  return {.found = ColouredShape{nearest_colour(median_colour(colours_at(picture, foreground.pixels))), shape},
          .reason = {}};
}

/// The largest 4-connected part of the foreground.
std::vector<std::size_t> largest_component(const Foreground& foreground, const Picture& picture) {
  const auto width = static_cast<std::size_t>(picture.width);
  std::vector<char> open(picture.pixels.size(), 0);
  for (const auto index : foreground.pixels) open[index] = 1;
  std::vector<std::size_t> largest, component;
  for (const auto start : foreground.pixels) {
    if (open[start] == 0) continue;
    component.assign(1, start);
    open[start] = 0;
    for (std::size_t next = 0; next < component.size(); ++next) {
      const auto index = component[next];
      const auto visit = [&](bool inside, std::size_t neighbour) {
        if (!inside || open[neighbour] == 0) return;
        open[neighbour] = 0;
        component.push_back(neighbour);
      };
      visit(index % width > 0, index - 1);
      visit(index % width + 1 < width, index + 1);
      visit(index >= width, index - width);
      visit(index + width < open.size(), index + width);
    }
    if (component.size() > largest.size()) largest.swap(component);
  }
  return largest;
}

/// How much of each pixel the object covers, from 0 to 1, judged by where its colour lies between the background's and
/// the object's. Only the object and the pixels around it count.
std::vector<float> coverage_of(const Picture& picture, const std::vector<std::size_t>& object, const Colour& background,
                               const Colour& colour) {
  const auto width = picture.width;
  std::vector<float> coverage(picture.pixels.size(), 0.0F);
  Colour axis{};
  float square = 0;
  for (std::size_t channel = 0; channel < 3; ++channel) {
    axis[channel] = colour[channel] - background[channel];
    square += axis[channel] * axis[channel];
  }
  for (const auto index : object) {
    const auto [x, y] = place_of(index, width);
    for (auto v = std::max<std::int64_t>(y - 1, 0); v <= std::min(y + 1, picture.height - 1); ++v) {
      for (auto u = std::max<std::int64_t>(x - 1, 0); u <= std::min(x + 1, width - 1); ++u) {
        const auto around = static_cast<std::size_t>(v * width + u);
        float projection = 0;
        for (std::size_t channel = 0; channel < 3; ++channel) {
          projection += (picture.pixels[around][channel] - background[channel]) * axis[channel];
        }
        coverage[around] = std::clamp(projection / square, 0.0F, 1.0F);
      }
    }
  }
  return coverage;
}

/// Where an object lies and how large it is, from the moments of its coverage.
struct Extent {
  double x = 0, y = 0;                    // centre of mass, in pixels
  double x_variance = 0, y_variance = 0;  // of the object itself: without the spread within a pixel
};

Extent extent_of(const std::vector<float>& coverage, std::int64_t width) {
  double area = 0, x = 0, y = 0, xx = 0, yy = 0;
  for (std::size_t i = 0; i < coverage.size(); ++i) {
    const double weight = coverage[i];
    const auto [column, row] = place_of(i, width);
    const double u = static_cast<double>(column) + 0.5, v = static_cast<double>(row) + 0.5;
    area += weight;
    x += weight * u;
    y += weight * v;
    xx += weight * u * u;
    yy += weight * v * v;
  }
  if (area <= 0) return {};
  constexpr double within_pixel = 1.0 / 12, smallest = 0.1;
  x /= area;
  y /= area;
  return {.x = x,
          .y = y,
          .x_variance = std::max(xx / area - x * x - within_pixel, smallest),
          .y_variance = std::max(yy / area - y * y - within_pixel, smallest)};
}

/// How well the coverage agrees with the ideal shape (a place in shapes) of the same moments, drawn with
/// antialiasing: the sum of the smaller values over the sum of the larger ones, 1 if they are equal.
double agreement(const std::vector<float>& coverage, std::int64_t width, const Extent& extent, std::size_t shape) {
  // Squared extent over variance of an ellipse, a rectangle and an isosceles triangle standing on its base.
  constexpr double across[] = {16, 12, 24}, down[] = {16, 12, 18};
  const double object_width = std::sqrt(across[shape] * extent.x_variance);
  const double object_height = std::sqrt(down[shape] * extent.y_variance);
  const auto inside = [&](double x, double y) {
    const double u = (x - extent.x) / object_width, v = (y - extent.y) / object_height;
    if (shape == 0) return u * u + v * v <= 0.25;
    if (shape == 1) return std::abs(u) <= 0.5 && std::abs(v) <= 0.5;
    const double below_apex = v + 2.0 / 3;  // the centre of mass lies two thirds down
    return below_apex >= 0 && below_apex <= 1 && std::abs(u) <= below_apex / 2;
  };
  constexpr int fineness = 4;
  double smaller = 0, larger = 0;
  for (std::size_t i = 0; i < coverage.size(); ++i) {
    const auto [column, row] = place_of(i, width);
    const auto left = static_cast<double>(column), top = static_cast<double>(row);
    int hits = 0;
    for (int part = 0; part < fineness * fineness; ++part) {
      const int across_part = part % fineness, down_part = part / fineness;
      hits += inside(left + (across_part + 0.5) / fineness, top + (down_part + 0.5) / fineness) ? 1 : 0;
    }
    const double ideal = static_cast<double>(hits) / (fineness * fineness);
    smaller += std::min<double>(coverage[i], ideal);
    larger += std::max<double>(coverage[i], ideal);
  }
  return larger > 0 ? smaller / larger : 0;
}

ShapeReading read_by_coverage(const Picture& picture) {
  const auto foreground = foreground_of(picture);
  if (is_empty(foreground, picture)) return {.found = {}, .reason = "no object"};
  const auto object = largest_component(foreground, picture);
  const double connected = static_cast<double>(object.size()) / static_cast<double>(foreground.pixels.size());
  if (connected < 0.85) return {.found = {}, .reason = fmt::format("scattered: only {:.2f} is connected", connected)};

  // The object's colour is that of its core: edges are mixed with the background.
  std::vector<float> distances;
  distances.reserve(object.size());
  for (const auto index : object) distances.push_back(foreground.distances[index]);
  const float core_distance = 0.85F * quantile(distances, 0.9);
  std::vector<std::size_t> core;
  std::ranges::copy_if(object, std::back_inserter(core),
                       [&](std::size_t index) { return foreground.distances[index] >= core_distance; });
  const auto core_colours = colours_at(picture, core);
  const auto colour = median_colour(core_colours);
  const auto named = nearest_colour(colour);
  const auto pure =
      std::ranges::count_if(core_colours, [&](const Colour& pixel) { return distance(pixel, palette[named]) < 80; });
  if (2 * static_cast<std::size_t>(pure) < core.size()) return {.found = {}, .reason = "no colour of the palette"};

  const auto coverage = coverage_of(picture, object, foreground.background, colour);
  const auto extent = extent_of(coverage, picture.width);
  std::size_t best = 0;
  double best_agreement = 0;
  for (std::size_t shape = 0; shape < shapes.size(); ++shape) {
    const double fit = agreement(coverage, picture.width, extent, shape);
    if (fit > best_agreement) {
      best = shape;
      best_agreement = fit;
    }
  }
  if (best_agreement < 0.7) {
    return {.found = {}, .reason = fmt::format("no shape fits: agreement {:.2f}", best_agreement)};
  }
  return {.found = ColouredShape{named, best}, .reason = {}};
}

}  // namespace

std::string to_text(const ColouredShape& value) {
  return fmt::format("{} {}", colours[value.colour], shapes[value.shape]);
}

std::optional<ColouredShape> parse_coloured_shape(std::string_view text) {
  std::optional<std::size_t> colour, shape;
  bool several = false;
  const auto note = [&](const auto& names, std::optional<std::size_t>& place, std::string_view word) {
    const auto found = std::ranges::find(names, word);
    if (found == names.end()) return;
    several = several || place.has_value();
    place = static_cast<std::size_t>(found - names.begin());
  };
  std::string word;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const auto character = i < text.size() ? static_cast<unsigned char>(text[i]) : ' ';
    if (std::isalpha(character) != 0) {
      word += static_cast<char>(std::tolower(character));
    } else if (!word.empty()) {
      note(colours, colour, word);
      note(shapes, shape, word);
      word.clear();
    }
  }
  if (several || !colour || !shape) return std::nullopt;
  return ColouredShape{*colour, *shape};
}

const char* protocol_name(ShapeProtocol protocol) {
  return protocol == ShapeProtocol::fill_ratio ? "shapes@1" : "shapes@2";
}

ShapeProtocol shape_protocol(std::string_view name) {
  for (const auto protocol : {ShapeProtocol::fill_ratio, ShapeProtocol::coverage}) {
    if (name == protocol_name(protocol)) return protocol;
  }
  throw Error(Fault::usage, fmt::format("there is no scorer '{}'; choose shapes@1 or shapes@2", name));
}

ShapeReading read_shape(const Tensor& image, ShapeProtocol protocol) {
  const auto picture = picture_of(image);
  return protocol == ShapeProtocol::fill_ratio ? read_by_fill_ratio(picture) : read_by_coverage(picture);
}

}  // namespace blip3u::easy_vqa
