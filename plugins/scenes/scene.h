// The world of Scenes: up to four flat shapes on a plain ground.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace blip3u::scenes {

// Attributes are places in these lists.
inline constexpr std::array<const char*, 5> shapes = {"circle", "square", "triangle", "star", "cross"};
inline constexpr std::array<const char*, 7> colours = {"red", "orange", "yellow", "green", "blue", "purple", "pink"};
inline constexpr std::array<const char*, 2> sizes = {"small", "large"};
inline constexpr std::array<const char*, 3> moods = {"day", "night", "snow"};
inline constexpr std::array<const char*, 4> relations = {"left of", "right of", "above", "below"};

inline constexpr std::size_t most_objects = 4;

using Colour = std::array<float, 3>;  ///< red, green, blue in 0..255
inline constexpr std::array<Colour, colours.size()> palette = {
    {{222, 40, 40}, {245, 135, 20}, {250, 225, 50}, {40, 150, 60}, {40, 90, 225}, {130, 50, 175}, {250, 130, 200}}};
inline constexpr std::array<Colour, moods.size()> grounds = {{{160, 215, 240}, {20, 24, 56}, {246, 247, 250}}};

/// The radius of a circle of that size, in shares of the picture's side.
inline constexpr std::array<double, sizes.size()> radii = {0.11, 0.17};

struct Object {
  std::size_t shape = 0, colour = 0, size = 0;
  double x = 0, y = 0;  ///< centre of its mass, in shares of the picture's side from the upper left corner
};

/// Pairs of colour and shape.
using Pairs = std::bitset<colours.size() * shapes.size()>;
constexpr std::size_t pair_of(std::size_t colour, std::size_t shape) { return colour * shapes.size() + shape; }

struct Scene {
  std::size_t mood = 0;
  std::vector<Object> objects;  ///< at most most_objects; no two touch
};

/// How far a shape reaches, in shares of the picture's side.
struct Extent {
  double left = 0, right = 0, up = 0, down = 0;  ///< from the centre of its mass, all >= 0
};
Extent extent_of(std::size_t shape, std::size_t size);

/// Whether the point (u, v), from the centre of mass in units of the radius, lies in the shape; v points down.
bool covers(std::size_t shape, double u, double v);

/// The place of a word in a list of attributes; nothing if it isn't there.
template <std::size_t N>
std::optional<std::size_t> place_of(std::string_view word, const std::array<const char*, N>& words) {
  for (std::size_t i = 0; i < N; ++i) {
    if (word == words[i]) return i;
  }
  return std::nullopt;
}

/// A scene as text, for labels of samples and records, and back: "day; small red circle 0.250 0.500; ...". Places are
/// rounded to a thousandth. Throws Error for a text that is none.
std::string to_text(const Scene& scene);
Scene parse_scene(std::string_view text);

/// Whether object a stands in that relation to b, as GenEval has it (Ghosh et al. 2023, evaluate.py,
/// relative_position): the centres' distance, less a tenth of both extents in each direction, points that way by more
/// than that share of its length; with GenEval's own, a half, a diagonal is two relations.
bool related(const Object& a, std::size_t relation, const Object& b, double share = 0.5);

}  // namespace blip3u::scenes
