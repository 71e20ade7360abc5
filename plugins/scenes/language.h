// How things are said of scenes. What the user says varies in wording and words; what the model says has one form.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "scenes/description.h"
#include "scenes/placing.h"

namespace blip3u::scenes {

/// Synonyms and order are drawn from the engine; without one, the model's own words are used: each thing has one name,
/// and things stand in the order of the description.
using Voice = Engine*;

std::string number_word(std::int64_t number);               ///< 0 to 5
std::string say_mood(std::size_t mood, Voice voice);        ///< "at night"
std::string say_relation(std::size_t relation, Voice);      ///< "to the left of"
std::string say_name(const Phrase& phrase, Voice voice);    ///< "small red circle", whatever the count
std::string say_things(const Phrase& phrase, Voice voice);  ///< "small red circles"
std::string say(const Phrase& phrase, Voice voice);         ///< "a small red circle", "two small red circles"

/// "a small red circle left of two stars at night"; "nothing at night".
std::string say(const Description& description, Voice voice);

/// The article and the word.
std::string with_article(const std::string& word);

/// What replaces the places of a wording: {"d", "a red star"} replaces "{d}".
using Filling = std::initializer_list<std::pair<std::string_view, std::string>>;

/// A wording of what is asked for, such as "draw", "question.count" or "edit.move", filled in. Of each, some wordings
/// are held out: training never reads them, though it reads all their words in others.
std::string request(std::string_view what, const Filling& filling, Engine& engine, bool held_out);

/// What a word of any text says of things: a shape in any of its words, a colour, a part of a relation.
struct Meaning {
  std::optional<std::size_t> shape, colour;
  bool relation = false;
};
Meaning meaning_of(std::string_view word);

/// What everybody knows: "the colour of grass" for green.
std::string colour_known_by(std::size_t colour, Engine& engine);
std::string shape_known_by(std::size_t shape, Engine& engine);

}  // namespace blip3u::scenes
