#include "scenes/placing.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "blip3u/error.h"

namespace blip3u::scenes {

namespace {

struct Range {
  double low, high;
};

/// Where the centre of a thing may lie so that it keeps within these shares of the picture.
Range within(Range part, double before, double after) { return {part.low + before + edge, part.high - after - edge}; }

bool overlap(double a, double a_before, double a_after, double b, double b_before, double b_after) {
  return a - a_before < b + b_after + gap && b - b_before < a + a_after + gap;
}

/// Whether centres lie on the lattice or anywhere.
enum class Places { on_lattice, anywhere };

/// A place of the range; nothing if it has none.
std::optional<double> any_place(Range range, Places places, Engine& engine) {
  if (range.low > range.high) return std::nullopt;
  if (places == Places::anywhere) return range.low + uniform(engine) * (range.high - range.low);
  const double first = lattice_above(range.low), last = lattice_below(range.high);
  if (first > last) return std::nullopt;
  const auto count = static_cast<std::size_t>(std::lround((last - first) * lattice)) + 1;
  return first + static_cast<double>(pick(engine, count)) / lattice;
}

/// Tries the object at one place of the part of the picture.
bool put(Object& object, Range across, Range down, const std::vector<Object>& others, Places places, Engine& engine) {
  const Extent extent = extent_of(object.shape, object.size);
  const auto x = any_place(within(across, extent.left, extent.right), places, engine);
  const auto y = any_place(within(down, extent.up, extent.down), places, engine);
  if (!x || !y) return false;
  object.x = *x;
  object.y = *y;
  return has_room(object, others);
}

constexpr Range whole = {0, 1};

std::size_t drawn_colour(std::size_t shape, Engine& engine, const Pairs& without) {
  std::size_t colour = pick(engine, colours.size());
  while (without[pair_of(colour, shape)]) colour = pick(engine, colours.size());
  return colour;
}

/// Objects of phrases in their order, with what is left open drawn.
std::vector<Object> draw_objects(const Description& description, Engine& engine, const Pairs& without) {
  std::vector<Object> objects;
  for (const Phrase& phrase : description.phrases) {
    for (std::int64_t i = 0; i < phrase.count; ++i) {
      objects.push_back(thing_of(phrase, engine, without));
    }
  }
  return objects;
}

/// Room in training pictures is clearer than the rule asks for, so that a pixel more or less decides nothing.
constexpr double clear_relation = 0.65;

/// A part of the picture for the thing of that number among so many that stand on one side of a relation.
Range side_by_side(std::size_t number, std::size_t count) {
  if (count == 1) return whole;
  const double width = 1.0 / static_cast<double>(count), low = width * static_cast<double>(number);
  return {std::max(low - gap, 0.0), std::min(low + width + gap, 1.0)};
}

/// Places the objects one after the other; false where one finds no room.
bool place_all(std::vector<Object>& objects, const Description& description, Places places, Engine& engine) {
  const std::size_t first = description.phrases.empty() ? 0 : static_cast<std::size_t>(description.phrases[0].count);
  const std::size_t second =
      description.phrases.size() < 2 ? first : first + static_cast<std::size_t>(description.phrases[1].count);
  const bool in_quarters = objects.size() > 2 && !description.relation && pick(engine, 2) == 0;  // finds room for four
  std::array<std::size_t, 4> quarters = {0, 1, 2, 3};
  for (std::size_t i = 3; i > 0; --i) std::swap(quarters[i], quarters[pick(engine, i + 1)]);
  const double border = 0.3 + 0.4 * uniform(engine);  // between the two sides of a relation
  std::vector<Object> placed;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    Range across = whole, down = whole;
    if (in_quarters) {
      across = quarters[i] % 2 == 0 ? Range{0, 0.5 + edge} : Range{0.5 - edge, 1};
      down = quarters[i] / 2 == 0 ? Range{0, 0.5 + edge} : Range{0.5 - edge, 1};
    } else if (description.relation && i < second) {
      const bool before = (*description.relation % 2 == 0) == (i < first);  // left of, above
      Range &along = *description.relation < 2 ? across : down, &other = *description.relation < 2 ? down : across;
      along = before ? Range{0, border} : Range{border, 1};
      other = side_by_side(i < first ? i : i - first, i < first ? first : second - first);
    }
    bool found = false;
    for (int tries = 0; tries < 30 && !found; ++tries) {
      found = put(objects[i], across, down, placed, places, engine);
      for (std::size_t a = 0; found && description.relation && i >= first && i < second && a < first; ++a) {
        found = related(placed[a], *description.relation, objects[i], clear_relation);
      }
    }
    if (!found) return false;
    placed.push_back(objects[i]);
  }
  return true;
}

}  // namespace

std::size_t pick(Engine& engine, std::size_t count) { return static_cast<std::size_t>(engine() % count); }

Object thing_of(const Phrase& phrase, Engine& engine, const Pairs& without) {
  Object object{.shape = phrase.shape};
  object.colour = phrase.colour ? *phrase.colour : drawn_colour(object.shape, engine, without);
  object.size = phrase.size ? *phrase.size : pick(engine, sizes.size());
  return object;
}

double uniform(Engine& engine) { return static_cast<double>(engine() >> 11U) * 0x1.0p-53; }

double lattice_above(double place) { return std::ceil(place * lattice - 1e-9) / lattice; }

double lattice_below(double place) { return std::floor(place * lattice + 1e-9) / lattice; }

bool has_room(const Object& object, const std::vector<Object>& others) {
  const Extent a = extent_of(object.shape, object.size);
  const auto inside = [](double place, double before, double after) {
    return place - before >= edge && place + after <= 1 - edge;
  };
  if (!inside(object.x, a.left, a.right) || !inside(object.y, a.up, a.down)) return false;
  return std::ranges::none_of(others, [&](const Object& other) {
    const Extent b = extent_of(other.shape, other.size);
    return overlap(object.x, a.left, a.right, other.x, b.left, b.right) &&
           overlap(object.y, a.up, a.down, other.y, b.up, b.down);
  });
}

std::optional<Object> placed(Object object, const std::vector<Object>& others, Engine& engine, int tries) {
  for (int i = 0; i < tries; ++i) {
    if (put(object, whole, whole, others, Places::on_lattice, engine)) return object;
  }
  return std::nullopt;
}

Scene realise(const Description& description, Engine& engine, const Pairs& without) {
  constexpr int tries_on_lattice = 500, most_tries = 5000;
  for (int tries = 0; tries < most_tries; ++tries) {
    Scene scene{.mood = description.mood ? *description.mood : pick(engine, moods.size()),
                .objects = draw_objects(description, engine, without)};
    const Places places = tries < tries_on_lattice ? Places::on_lattice : Places::anywhere;
    if (place_all(scene.objects, description, places, engine)) return scene;
  }
  throw Error(fmt::format("scenes: no room for {}", to_text(description)));
}

Scene random_scene(std::size_t count, Engine& engine, const Pairs& without) {
  Description anything{.mood = pick(engine, moods.size()), .phrases = {}};
  for (std::size_t i = 0; i < count; ++i) anything.phrases.push_back({.shape = pick(engine, shapes.size())});
  return realise(anything, engine, without);
}

}  // namespace blip3u::scenes
