#include "scenes/description.h"

#include <algorithm>
#include <sstream>
#include <tuple>

#include <fmt/format.h>

#include "blip3u/error.h"

namespace blip3u::scenes {

namespace {

constexpr const char* open = "any";

template <std::size_t N>
const char* word_of(const std::optional<std::size_t>& place, const std::array<const char*, N>& words) {
  return place ? words.at(*place) : open;
}

auto order_of(const Object& object) { return std::tuple(object.size, object.colour, object.shape); }

}  // namespace

bool fits(const Object& object, const Phrase& phrase) {
  return object.shape == phrase.shape && (!phrase.colour || object.colour == *phrase.colour) &&
         (!phrase.size || object.size == *phrase.size);
}

std::int64_t count_of(const std::vector<Object>& objects, const Phrase& phrase) {
  return std::ranges::count_if(objects, [&](const Object& object) { return fits(object, phrase); });
}

Description describe(const Scene& scene) {
  std::vector<Object> objects = scene.objects;
  std::ranges::sort(objects, {}, order_of);
  Description description{.mood = scene.mood, .phrases = {}};
  for (std::size_t i = 0; i < objects.size(); ++i) {
    if (i > 0 && order_of(objects[i]) == order_of(objects[i - 1])) {
      ++description.phrases.back().count;
    } else {
      description.phrases.push_back({1, objects[i].size, objects[i].colour, objects[i].shape});
    }
  }
  return description;
}

std::string to_text(const Description& description) {
  std::string text = fmt::format("{}:", word_of(description.mood, moods));
  for (std::size_t i = 0; i < description.phrases.size(); ++i) {
    const Phrase& phrase = description.phrases[i];
    text += fmt::format("{} {} {} {} {}", i == 0 ? "" : ",", phrase.count, word_of(phrase.size, sizes),
                        word_of(phrase.colour, colours), shapes.at(phrase.shape));
  }
  if (description.relation) text += fmt::format(" ({})", relations.at(*description.relation));
  return text;
}

Description parse_description(std::string_view text) {
  const auto refuse = [&] {
    return Error(fmt::format("scenes: '{}' is not a description; to_text() writes one", text));
  };
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) throw refuse();
  Description description;
  const std::string_view mood = text.substr(0, colon);
  description.mood = place_of(mood, moods);
  if (!description.mood && mood != open) throw refuse();
  std::string_view rest = text.substr(colon + 1);
  if (const std::size_t bracket = rest.find(" ("); bracket != std::string_view::npos) {
    if (!rest.ends_with(')')) throw refuse();
    description.relation = place_of(rest.substr(bracket + 2, rest.size() - bracket - 3), relations);
    if (!description.relation) throw refuse();
    rest = rest.substr(0, bracket);
  }
  std::istringstream phrases{std::string(rest)};
  for (std::string part; std::getline(phrases, part, ',');) {
    std::istringstream words(part);
    std::string size, colour, shape;
    Phrase phrase;
    words >> phrase.count >> size >> colour >> shape;
    phrase.size = place_of(size, sizes);
    phrase.colour = place_of(colour, colours);
    const auto named = place_of(shape, shapes);
    if (words.fail() || !named || (!phrase.size && size != open) || (!phrase.colour && colour != open)) throw refuse();
    phrase.shape = *named;
    description.phrases.push_back(phrase);
  }
  return description;
}

}  // namespace blip3u::scenes
