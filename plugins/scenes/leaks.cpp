#include "scenes/leaks.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace blip3u::scenes {

std::string leak_in(const Scene& scene, bool drawn, const HeldOut& held_out) {
  std::array<std::size_t, shapes.size()> counts{};
  for (const Object& object : scene.objects) {
    if (held_out.pairs[pair_of(object.colour, object.shape)]) {
      return fmt::format("{} {}", colours[object.colour], shapes[object.shape]);
    }
    if (drawn && held_out.four && ++counts[object.shape] == 4) return fmt::format("four of {}", shapes[object.shape]);
  }
  return {};
}

std::string leak_in(std::string_view text, const HeldOut& held_out) {
  constexpr std::size_t none = colours.size();
  std::size_t colour = none;          // of the next shape
  std::optional<std::size_t> before;  // the last shape
  bool relation = false;              // between them
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const Meaning word = meaning_of(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    colour = word.colour.value_or(colour);
    relation = relation || word.relation;
    if (!word.shape) continue;
    if (colour != none && held_out.pairs[pair_of(colour, *word.shape)]) {
      return fmt::format("{} {}", colours.at(colour), shapes.at(*word.shape));
    }
    if (before && relation && held_out.relations[*before * shapes.size() + *word.shape]) {
      return fmt::format("the {}'s relation to the {}", shapes[*before], shapes[*word.shape]);
    }
    before = word.shape;
    colour = none;
    relation = false;
  }
  return {};
}

}  // namespace blip3u::scenes
