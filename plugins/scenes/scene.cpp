#include "scenes/scene.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <sstream>

#include <fmt/format.h>

#include "blip3u/error.h"

namespace blip3u::scenes {

namespace {

struct Point {
  double u, v;
};

constexpr double square_side = 0.88;      // half of it
constexpr double triangle_radius = 1.25;  // of its corners
constexpr double star_radius = 1.3, star_inner = 0.5;
constexpr double cross_arm = 1.1, cross_half = 0.36;

/// The corners of a star with five points, from the top on.
std::array<Point, 10> star_corners() {
  std::array<Point, 10> corners{};
  for (std::size_t i = 0; i < corners.size(); ++i) {
    const double radius = i % 2 == 0 ? star_radius : star_radius * star_inner;
    const double angle = std::numbers::pi * (static_cast<double>(i) / 5 - 0.5);
    corners[i] = {radius * std::cos(angle), radius * std::sin(angle)};
  }
  return corners;
}

bool in_star(double u, double v) {
  static const std::array<Point, 10> corners = star_corners();
  bool inside = false;  // the rule of even and odd crossings
  for (std::size_t i = 0, j = corners.size() - 1; i < corners.size(); j = i++) {
    const auto [au, av] = corners[i];
    const auto [bu, bv] = corners[j];
    if ((av > v) != (bv > v) && u < (bu - au) * (v - av) / (bv - av) + au) inside = !inside;
  }
  return inside;
}

}  // namespace

bool covers(std::size_t shape, double u, double v) {
  switch (shape) {
    case 0: return u * u + v * v <= 1;
    case 1: return std::abs(u) <= square_side && std::abs(v) <= square_side;
    case 2: {  // equilateral, standing on its base
      const double below_apex = v + triangle_radius;
      return below_apex >= 0 && v <= triangle_radius / 2 && std::abs(u) <= below_apex / std::numbers::sqrt3;
    }
    case 3: return in_star(u, v);
    default:
      return (std::abs(u) <= cross_arm && std::abs(v) <= cross_half) ||
             (std::abs(v) <= cross_arm && std::abs(u) <= cross_half);
  }
}

Extent extent_of(std::size_t shape, std::size_t size) {
  const double r = radii.at(size);
  const double star_width = star_radius * std::cos(std::numbers::pi / 10);
  switch (shape) {
    case 0: return {r, r, r, r};
    case 1: return {square_side * r, square_side * r, square_side * r, square_side * r};
    case 2: {
      const double half = triangle_radius * std::numbers::sqrt3 / 2;
      return {half * r, half * r, triangle_radius * r, triangle_radius / 2 * r};
    }
    case 3: return {star_width * r, star_width * r, star_radius * r, star_radius * std::cos(std::numbers::pi / 5) * r};
    default: return {cross_arm * r, cross_arm * r, cross_arm * r, cross_arm * r};
  }
}

std::string to_text(const Scene& scene) {
  std::string text = moods.at(scene.mood);
  for (const Object& object : scene.objects) {
    text += fmt::format("; {} {} {} {:.3f} {:.3f}", sizes.at(object.size), colours.at(object.colour),
                        shapes.at(object.shape), object.x, object.y);
  }
  return text;
}

Scene parse_scene(std::string_view text) {
  const auto refuse = [&] { return Error(fmt::format("scenes: '{}' is not a scene; to_text() writes one", text)); };
  std::istringstream parts{std::string(text)};
  std::string part;
  std::getline(parts, part, ';');
  const auto mood = place_of(part, moods);
  if (!mood) throw refuse();
  Scene scene{.mood = *mood, .objects = {}};
  while (std::getline(parts, part, ';')) {
    std::istringstream words(part);
    std::string size, colour, shape;
    Object object;
    words >> size >> colour >> shape >> object.x >> object.y;
    const auto s = place_of(size, sizes), c = place_of(colour, colours), f = place_of(shape, shapes);
    if (words.fail() || !s || !c || !f) throw refuse();
    object.size = *s;
    object.colour = *c;
    object.shape = *f;
    scene.objects.push_back(object);
  }
  return scene;
}

bool related(const Object& a, std::size_t relation, const Object& b, double share) {
  const Extent of_a = extent_of(a.shape, a.size), of_b = extent_of(b.shape, b.size);
  const auto shrunk = [](double offset, double extents) {
    return std::copysign(std::max(std::abs(offset) - 0.1 * extents, 0.0), offset);
  };
  const double x = shrunk(a.x - b.x, of_a.left + of_a.right + of_b.left + of_b.right);
  const double y = shrunk(a.y - b.y, of_a.up + of_a.down + of_b.up + of_b.down);
  const double length = std::hypot(x, y);
  if (length < 1e-3) return false;
  const double along[] = {-x, x, -y, y};
  return along[relation] / length > share;
}

}  // namespace blip3u::scenes
