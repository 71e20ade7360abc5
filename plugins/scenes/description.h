// What is said of a scene: how many of what, how two of these stand to each other, and the mood.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scenes/scene.h"

namespace blip3u::scenes {

/// "two small red circles": what is not named may be anything.
struct Phrase {
  std::int64_t count = 1;  ///< 1 to most_objects
  std::optional<std::size_t> size = {}, colour = {};
  std::size_t shape = 0;

  bool operator==(const Phrase&) const = default;
};

/// A whole scene in words: it holds these things and no others.
struct Description {
  std::optional<std::size_t> mood = {};
  std::vector<Phrase> phrases;               ///< none: an empty ground; no two fit the same object
  std::optional<std::size_t> relation = {};  ///< of all things of phrases[0] to all of phrases[1]

  bool operator==(const Description&) const = default;
};

bool fits(const Object& object, const Phrase& phrase);

/// How many fit.
std::int64_t count_of(const std::vector<Object>& objects, const Phrase& phrase);

/// Everything that can be said of the scene but for places: things alike in one phrase, in the order of their sizes,
/// colours and shapes in the lists.
Description describe(const Scene& scene);

/// As text, for labels of samples and records, and back; the wordings that the model reads are in language.h. Throws
/// Error for a text that is none. "night: 2 small red circle, 1 any blue any ...": one form for each description.
std::string to_text(const Description& description);
Description parse_description(std::string_view text);

}  // namespace blip3u::scenes
