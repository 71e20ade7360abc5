#include "scenes/rules.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>

namespace blip3u::scenes {

namespace {

std::vector<Object> fitting(const std::vector<Object>& objects, const Phrase& phrase) {
  std::vector<Object> found;
  std::ranges::copy_if(objects, std::back_inserter(found), [&](const Object& object) { return fits(object, phrase); });
  return found;
}

/// Whether there are `count` of a and `second_count` of b so that each of the ones stands so to each of the others.
bool all_related(const std::vector<Object>& a, std::int64_t count, std::size_t relation, const std::vector<Object>& b,
                 std::int64_t second_count) {
  constexpr std::size_t most = 12;  // of which all choices are tried
  if (b.size() > most) return false;
  for (std::uint32_t chosen = 0; chosen < (1U << b.size()); ++chosen) {
    if (std::popcount(chosen) != second_count) continue;
    const auto stands_so = [&](const Object& object) {
      for (std::size_t i = 0; i < b.size(); ++i) {
        if ((chosen >> i & 1U) != 0 && !related(object, relation, b[i])) return false;
      }
      return true;
    };
    if (std::ranges::count_if(a, stands_so) >= count) return true;
  }
  return false;
}

bool relation_holds(const std::vector<Object>& objects, const Description& description) {
  if (!description.relation) return true;
  if (description.phrases.size() < 2) return false;
  const Phrase &first = description.phrases[0], &second = description.phrases[1];
  return all_related(fitting(objects, first), first.count, *description.relation, fitting(objects, second),
                     second.count);
}

bool mood_holds(const Reading& reading, const Description& description) {
  return !description.mood || reading.mood == description.mood;
}

/// Whether as many have the attribute as are asked for, of the things of the phrase's shape that are there.
bool attribute_holds(const std::vector<Object>& objects, const Phrase& asked, const Phrase& shape_alone) {
  const std::int64_t having = count_of(objects, asked);
  return having > 0 && having >= std::min(asked.count, count_of(objects, shape_alone));
}

std::vector<Atom> atoms_of(const Reading& reading, const Description& description) {
  std::vector<Atom> atoms;
  const std::vector<Object>& objects = reading.objects;
  for (const Phrase& phrase : description.phrases) {
    const Phrase alone{.count = phrase.count, .shape = phrase.shape};
    atoms.push_back({Atom::Kind::object, count_of(objects, alone) > 0});
    Phrase asked = alone;
    asked.colour = phrase.colour;
    if (phrase.colour) atoms.push_back({Atom::Kind::colour, attribute_holds(objects, asked, alone)});
    asked.colour.reset();
    asked.size = phrase.size;
    if (phrase.size) atoms.push_back({Atom::Kind::size, attribute_holds(objects, asked, alone)});
    if (phrase.count == 1) continue;
    std::int64_t of_shape = 0;
    for (const Phrase& other : description.phrases) of_shape += other.shape == phrase.shape ? other.count : 0;
    atoms.push_back({Atom::Kind::count, count_of(objects, alone) == of_shape});
  }
  if (description.relation) atoms.push_back({Atom::Kind::relation, relation_holds(objects, description)});
  if (description.mood) atoms.push_back({Atom::Kind::mood, mood_holds(reading, description)});
  return atoms;
}

bool alike(const Object& a, const Object& b) { return a.shape == b.shape && a.colour == b.colour && a.size == b.size; }

bool near(const Object& a, const Object& b, double pixels, std::int64_t side) {
  return std::hypot(a.x - b.x, a.y - b.y) * static_cast<double>(side) <= pixels;
}

constexpr double same_place = 2;  // pixels

/// Takes an object from the list that `accepts`; false if there is none.
template <class Accepts>
bool take(std::vector<Object>& objects, const Accepts& accepts) {
  const auto found = std::ranges::find_if(objects, accepts);
  if (found == objects.end()) return false;
  objects.erase(found);
  return true;
}

/// Takes the nearest object like it that lies within so many pixels.
bool take_near(std::vector<Object>& objects, const Object& wanted, double pixels, std::int64_t side) {
  const auto far = [&](const Object& object) {
    return alike(object, wanted) ? std::hypot(object.x - wanted.x, object.y - wanted.y) : 1e9;
  };
  const auto nearest = std::ranges::min_element(objects, {}, far);
  if (nearest == objects.end() || !alike(*nearest, wanted) || !near(*nearest, wanted, pixels, side)) return false;
  objects.erase(nearest);
  return true;
}

/// How a scene becomes another: what stays, what is gone and what is new. Places in labels are rounded, so that one
/// that stays differs by a thousandth at most.
struct Difference {
  std::vector<Object> kept, gone, fresh;
};

constexpr double rounding = 0.15;  // pixels

Difference difference(const Scene& source, const Scene& target, std::int64_t side) {
  Difference result{.gone = source.objects};
  for (const Object& object : target.objects) {
    (take_near(result.gone, object, rounding, side) ? result.kept : result.fresh).push_back(object);
  }
  return result;
}

/// Whether `moved` went the way from `from` to `to`: three quarters of it at least, and not aside.
bool went(const Object& from, const Object& to, const Object& moved, std::int64_t side) {
  const double x = to.x - from.x, y = to.y - from.y, length = std::hypot(x, y);
  const double along = ((moved.x - from.x) * x + (moved.y - from.y) * y) / length;
  const double aside = ((moved.x - from.x) * y - (moved.y - from.y) * x) / length;
  return along >= 0.75 * length && std::abs(aside) * static_cast<double>(side) <= same_place;
}

/// Whether a thing that was added stands so to some other as is wanted.
bool stands_as_wanted(const Object& added, const Description& wanted, const std::vector<Object>& objects) {
  if (!wanted.relation || wanted.phrases.size() < 2) return true;
  return std::ranges::any_of(objects, [&](const Object& other) {
    return fits(other, wanted.phrases[1]) && related(added, *wanted.relation, other);
  });
}

}  // namespace

Verdict judge(const Reading& reading, const Description& description) {
  Verdict verdict{.atoms = atoms_of(reading, description)};
  if (!reading.mood) return verdict;
  const std::vector<Object>& objects = reading.objects;
  const bool framed = mood_holds(reading, description) && relation_holds(objects, description);
  std::int64_t asked = 0;
  bool exact = true, enough = true;
  for (const Phrase& phrase : description.phrases) {
    const std::int64_t found = count_of(objects, phrase);
    exact = exact && found == phrase.count;
    enough = enough && (phrase.count > 1 ? found == phrase.count : found >= 1);
    asked += phrase.count;
  }
  verdict.strict = reading.clear() && framed && exact && asked == std::ssize(objects);
  verdict.compatible = framed && enough;
  return verdict;
}

std::int64_t atoms_in(const Description& description) { return std::ssize(atoms_of({}, description)); }

EditVerdict judge_edit(const Scene& source, const Scene& target, const Description& wanted, const Reading& reading,
                       std::int64_t side) {
  const auto [unchanged, gone, fresh] = difference(source, target, side);
  std::vector<Object> there = reading.objects;
  bool kept = reading.clear() && (source.mood != target.mood || reading.mood == source.mood);
  for (const Object& object : unchanged) kept = take_near(there, object, same_place, side) && kept;
  // What cannot be read isn't known to have changed.
  EditVerdict verdict{.changed = reading.clear() && (source.mood == target.mood || reading.mood == target.mood)};
  for (const Object& object : fresh) {
    const auto moved = std::ranges::find_if(gone, [&](const Object& before) { return alike(before, object); });
    const auto replaced =
        std::ranges::find_if(gone, [&](const Object& before) { return near(before, object, rounding, side); });
    const auto named = std::ranges::find_if(wanted.phrases, [&](const Phrase& phrase) { return fits(object, phrase); });
    const bool added = moved == gone.end() && replaced == gone.end() && named != wanted.phrases.end();
    const bool made = take(there, [&](const Object& found) {
      if (added) return fits(found, *named) && stands_as_wanted(found, wanted, reading.objects);
      if (!alike(found, object)) return false;
      if (replaced != gone.end()) return near(found, object, same_place, side);
      return moved == gone.end() || went(*moved, object, found, side);
    });
    if (!made && moved != gone.end()) take(there, [&](const Object& found) { return alike(found, object); });
    verdict.changed = verdict.changed && made;
  }
  for (const Object& object : gone) {
    const bool stays_or_became_another =
        take(there, [&](const Object& found) { return near(found, object, same_place, side); });
    verdict.changed = verdict.changed && !stays_or_became_another;
  }
  verdict.kept = kept && there.empty();
  return verdict;
}

std::optional<Scene> carried_over(const Scene& source, const Scene& target, Scene own) {
  constexpr std::int64_t side = 32;
  auto [unchanged, gone, fresh] = difference(source, target, side);
  if (source.mood != target.mood) own.mood = target.mood;
  for (const Object& object : fresh) {
    auto before = std::ranges::find_if(gone, [&](const Object& each) { return near(each, object, rounding, side); });
    const bool stays = before != gone.end();  // it became another
    if (!stays) before = std::ranges::find_if(gone, [&](const Object& each) { return alike(each, object); });
    if (before == gone.end()) {
      own.objects.push_back(object);
      continue;
    }
    const auto changed = std::ranges::find_if(own.objects, [&](const Object& each) { return alike(each, *before); });
    if (changed == own.objects.end()) return std::nullopt;
    Object after = object;
    const auto kept = [](double from, double to) { return std::abs(from - to) < 0.002; };
    if (stays || kept(before->x, object.x)) after.x = changed->x;
    if (stays || kept(before->y, object.y)) after.y = changed->y;
    *changed = after;
    gone.erase(before);
  }
  for (const Object& object : gone) {
    if (!take(own.objects, [&](const Object& each) { return alike(each, object); })) return std::nullopt;
  }
  return own;
}

bool same_scene(const Scene& scene, const Reading& reading, std::int64_t side, double pixels) {
  std::vector<Object> there = reading.objects;
  return reading.clear() && reading.mood == scene.mood && there.size() == scene.objects.size() &&
         std::ranges::all_of(scene.objects,
                             [&](const Object& object) { return take_near(there, object, pixels, side); });
}

}  // namespace blip3u::scenes
