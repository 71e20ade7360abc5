#include "scenes/language.h"

#include <map>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "blip3u/error.h"

namespace blip3u::scenes {

namespace {

using Words = std::vector<const char*>;

// The first of each is the model's own.
const std::array<Words, shapes.size()> shape_words = {
    {{"circle", "disc"}, {"square", "box"}, {"triangle"}, {"star"}, {"cross"}}};
const std::array<Words, shapes.size()> shape_plurals = {
    {{"circles", "discs"}, {"squares", "boxes"}, {"triangles"}, {"stars"}, {"crosses"}}};
const std::array<Words, sizes.size()> size_words = {{{"small", "little", "tiny"}, {"large", "big", "huge"}}};
const std::array<Words, moods.size()> mood_words = {{{"by day", "in daylight", "in the sun"},
                                                     {"at night", "in the dark", "under the moon"},
                                                     {"in the snow", "on snow", "in winter"}}};
const std::array<Words, relations.size()> relation_words = {{{"left of", "to the left of", "on the left side of"},
                                                             {"right of", "to the right of", "on the right side of"},
                                                             {"above", "over", "higher than"},
                                                             {"below", "under", "lower than"}}};
const std::array<Words, colours.size()> colour_facts = {{{"the colour of blood", "the colour of a tomato"},
                                                         {"the colour of a carrot", "the colour of a pumpkin"},
                                                         {"the colour of the sun", "the colour of a lemon"},
                                                         {"the colour of grass", "the colour of a leaf"},
                                                         {"the colour of the sea", "the colour of the sky"},
                                                         {"the colour of a plum", "the colour of grapes"},
                                                         {"the colour of a pig", "the colour of a flamingo"}}};
const std::array<Words, shapes.size()> shape_facts = {{{"the shape of a wheel", "the shape without corners"},
                                                       {"the shape with four sides", "the shape of a chessboard"},
                                                       {"the shape with three sides", "the shape of a pyramid"},
                                                       {"the shape with five points", "the shape of a starfish"},
                                                       {"the shape with four arms", "the shape on an ambulance"}}};

constexpr std::size_t held_out_wordings = 2;  // the last of each

const std::map<std::string_view, Words>& wordings() {
  static const std::map<std::string_view, Words> table = {
      {"draw",
       {"{d}", "draw {d}", "a picture of {d}", "please draw {d}", "make an image of {d}", "show me {d}", "paint {d}",
        "i want to see {d}", "please make a picture of {d}", "show me an image of {d}"}},
      {"caption",
       {"describe it", "what is in the picture", "describe the picture", "what do you see", "tell me what is there",
        "say what the picture shows", "please describe it", "what does the image show", "tell me what you see",
        "describe the image"}},
      {"question.exist",
       {"is there {d}", "does the picture show {d}", "do you see {d}", "can you see {d}", "is there {d} in the picture",
        "does the image have {d}", "tell me if there is {d}", "say if you see {d}", "do you see {d} in the picture",
        "does the picture have {d}"}},
      {"question.count",
       {"how many {t} are there", "count the {t}", "how many {t} do you see", "what is the number of {t}",
        "how many {t} does the picture show", "tell me how many {t} there are", "the number of {t}",
        "how many {t} are in the picture", "how many {t} can you see", "count the {t} in the picture"}},
      {"question.colour",
       {"what colour is the {n}", "which colour is the {n}", "what is the colour of the {n}",
        "tell me the colour of the {n}", "the {n} has what colour", "which colour does the {n} have",
        "what colour has the {n}", "say the colour of the {n}", "what colour does the {n} have",
        "tell me what colour the {n} has"}},
      {"question.shape",
       {"what shape is the {n}", "which shape is the {n}", "what is the shape of the {n}",
        "tell me the shape of the {n}", "the {n} has what shape", "which shape does the {n} have",
        "what shape has the {n}", "say the shape of the {n}", "what shape does the {n} have",
        "tell me what shape the {n} has"}},
      {"question.size",
       {"what size is the {n}", "is the {n} small or large", "what is the size of the {n}",
        "tell me the size of the {n}", "the {n} has what size", "which size does the {n} have",
        "is the {n} large or small", "say the size of the {n}", "what size does the {n} have",
        "tell me what size the {n} has"}},
      {"question.mood",
       {"is it day night or snow", "day night or snow", "is it day or night or snow",
        "tell me if it is day night or snow", "say if it is day night or snow", "do you see day night or snow",
        "does the picture show day night or snow", "what is it day night or snow", "what do you see day night or snow",
        "does the image show day night or snow"}},
      {"question.relation",
       {"is the {a} {r} the {b}", "do you see the {a} {r} the {b}", "can you see the {a} {r} the {b}",
        "tell me if the {a} is {r} the {b}", "say if the {a} is {r} the {b}",
        "does the picture show the {a} {r} the {b}", "in the picture is the {a} {r} the {b}",
        "the {a} is {r} the {b} is it", "does the image show the {a} {r} the {b}",
        "in the image is the {a} {r} the {b}"}},
      {"question.compare",
       {"are there more {t} than {u}", "do you see more {t} than {u}", "can you see more {t} than {u}",
        "tell me if there are more {t} than {u}", "say if there are more {t} than {u}",
        "does the picture show more {t} than {u}", "are there more {t} in the picture than {u}",
        "does the image have more {t} than {u}", "does the image show more {t} than {u}",
        "does the picture have more {t} than {u}"}},
      {"edit.insert",
       {"add {d}", "put {d} in", "insert {d}", "please add {d}", "draw {d} too", "add {d} to the picture",
        "i want {d} too", "put {d} in the picture", "please insert {d}", "insert {d} in the picture"}},
      {"edit.delete",
       {"remove the {n}", "delete the {n}", "take the {n} away", "erase the {n}", "please remove the {n}",
        "remove the {n} from the picture", "no {n}", "i do not want the {n}", "please delete the {n}",
        "erase the {n} from the picture"}},
      {"edit.replace",
       {"replace the {n} with {d}", "change the {n} to {d}", "turn the {n} into {d}", "put {d} where the {n} is",
        "make the {n} {d}", "please replace the {n} with {d}", "{d} in place of the {n}",
        "i want {d} in place of the {n}", "please change the {n} to {d}", "please put {d} where the {n} is"}},
      {"edit.recolour",
       {"make the {n} {c}", "paint the {n} {c}", "colour the {n} {c}", "turn the {n} {c}", "the {n} must be {c}",
        "change the colour of the {n} to {c}", "please make the {n} {c}", "i want the {n} to be {c}",
        "please paint the {n} {c}", "please colour the {n} {c}"}},
      {"edit.move",
       {"move the {n} to the {s}", "put the {n} at the {s}", "shift the {n} to the {s}", "push the {n} to the {s}",
        "please move the {n} to the {s}", "the {n} must be at the {s}", "i want the {n} at the {s}",
        "bring the {n} to the {s}", "please put the {n} at the {s}", "please push the {n} to the {s}"}},
      {"edit.restyle",
       {"make it {m}", "show it {m}", "let it be {m}", "show the picture {m}", "please make it {m}",
        "the picture must be {m}", "i want it {m}", "paint it {m}", "please show it {m}", "i want the picture {m}"}},
      {"reasoning",
       {"draw {d}", "a picture of {d}", "please draw {d}", "make an image of {d}", "show me {d}", "paint {d}",
        "i want to see {d}", "{d}", "please make a picture of {d}", "show me an image of {d}"}},
  };
  return table;
}

const char* choose(const Words& words, Voice voice) {
  return voice ? words[pick(*voice, words.size())] : words.front();
}

/// "small red", or nothing.
std::string attributes(const Phrase& phrase, Voice voice) {
  std::string text;
  if (phrase.size) text += fmt::format("{} ", choose(size_words[*phrase.size], voice));
  if (phrase.colour) text += fmt::format("{} ", colours[*phrase.colour]);
  return text;
}

}  // namespace

std::string number_word(std::int64_t number) {
  constexpr std::array words = {"zero", "one", "two", "three", "four", "five"};
  return words.at(static_cast<std::size_t>(number));
}

std::string say_mood(std::size_t mood, Voice voice) { return choose(mood_words.at(mood), voice); }

std::string say_relation(std::size_t relation, Voice voice) { return choose(relation_words.at(relation), voice); }

std::string say_name(const Phrase& phrase, Voice voice) {
  const std::string before = attributes(phrase, voice);  // the order of draws must not be the compiler's choice
  return before + choose(shape_words.at(phrase.shape), voice);
}

std::string say_things(const Phrase& phrase, Voice voice) {
  const std::string before = attributes(phrase, voice);
  return before + choose(shape_plurals.at(phrase.shape), voice);
}

std::string with_article(const std::string& word) {
  const bool vowel = std::string_view("aeiou").find(word.front()) != std::string_view::npos;
  return (vowel ? "an " : "a ") + word;
}

std::string say(const Phrase& phrase, Voice voice) {
  return phrase.count == 1 ? with_article(say_name(phrase, voice))
                           : fmt::format("{} {}", number_word(phrase.count), say_things(phrase, voice));
}

std::string say(const Description& description, Voice voice) {
  std::vector<Phrase> phrases = description.phrases;
  if (voice && !description.relation) {
    for (std::size_t i = phrases.size(); i > 1; --i) std::swap(phrases[i - 1], phrases[pick(*voice, i)]);
  }
  std::string text;
  for (std::size_t i = 0; i < phrases.size(); ++i) {
    if (i == 1 && description.relation)
      text += fmt::format(" {} ", say_relation(*description.relation, voice));
    else if (i > 0)
      text += " and ";
    text += say(phrases[i], voice);
  }
  if (phrases.empty()) text = "nothing";
  return description.mood ? fmt::format("{} {}", text, say_mood(*description.mood, voice)) : text;
}

std::string request(std::string_view what, const Filling& filling, Engine& engine, bool held_out) {
  const auto found = wordings().find(what);
  if (found == wordings().end()) throw Error(fmt::format("scenes: nobody has words for '{}'", what));
  const Words& all = found->second;
  const std::size_t seen = all.size() - held_out_wordings;
  std::string text = held_out ? all[seen + pick(engine, held_out_wordings)] : all[pick(engine, seen)];
  for (const auto& [place, words] : filling) {
    const std::string mark = fmt::format("{{{}}}", place);
    if (const std::size_t at = text.find(mark); at != std::string::npos) text.replace(at, mark.size(), words);
  }
  return text;
}

Meaning meaning_of(std::string_view word) {
  static const std::map<std::string_view, Meaning> table = [] {
    std::map<std::string_view, Meaning> meanings;
    for (std::size_t shape = 0; shape < shapes.size(); ++shape) {
      for (const char* name : shape_words[shape]) meanings[name].shape = shape;
      for (const char* name : shape_plurals[shape]) meanings[name].shape = shape;
    }
    for (std::size_t colour = 0; colour < colours.size(); ++colour) meanings[colours[colour]].colour = colour;
    for (const char* way : {"left", "right", "above", "over", "higher", "below", "under", "lower"}) {
      meanings[way].relation = true;  // each phrase of relation_words holds one
    }
    return meanings;
  }();
  const auto found = table.find(word);
  return found == table.end() ? Meaning{} : found->second;
}

std::string colour_known_by(std::size_t colour, Engine& engine) { return choose(colour_facts.at(colour), &engine); }

std::string shape_known_by(std::size_t shape, Engine& engine) { return choose(shape_facts.at(shape), &engine); }

}  // namespace blip3u::scenes
