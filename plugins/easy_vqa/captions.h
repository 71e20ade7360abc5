// Captions of easy-vqa pictures, recovered from their questions and answers alone. Header-only, so that the plugin and
// its tests share it.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <bitset>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "layers/conversations.h"

namespace blip3u::easy_vqa {

inline constexpr std::array<const char*, 8> colours = {"red",  "green", "blue",  "yellow",
                                                       "teal", "brown", "black", "gray"};
inline constexpr std::array<const char*, 3> shapes = {"circle", "rectangle", "triangle"};
inline constexpr std::size_t pair_count = colours.size() * shapes.size();

/// A set of (colour, shape) pairs; pair p is colour p / 3 and shape p % 3.
using Pairs = std::bitset<pair_count>;

inline std::string pair_name(std::size_t pair) {
  return std::string(colours[pair / shapes.size()]) + " " + shapes[pair % shapes.size()];
}
inline std::string caption_of(std::size_t pair) { return "a " + pair_name(pair); }

/// "red triangle" -> its pair.
inline std::optional<std::size_t> parse_pair(std::string_view text) {
  for (std::size_t pair = 0; pair < pair_count; ++pair) {
    if (text == pair_name(pair)) return pair;
  }
  return std::nullopt;
}

/// "a red triangle" -> its pair; nothing for an empty caption.
inline std::optional<std::size_t> pair_of_caption(std::string_view caption) {
  return caption.starts_with("a ") ? parse_pair(caption.substr(2)) : std::nullopt;
}

/// What a question asked for.
inline const char* kind_of_answer(std::string_view answer) {
  if (std::ranges::find(colours, answer) != colours.end()) return "colour";
  if (std::ranges::find(shapes, answer) != shapes.end()) return "shape";
  return "yes_no";
}

/// The pairs for which a word is true: those of a colour or of a shape; all of them for any other word.
inline Pairs pairs_with(std::string_view word) {
  Pairs pairs;
  for (std::size_t pair = 0; pair < pair_count; ++pair) {
    pairs[pair] = word == colours[pair / shapes.size()] || word == shapes[pair % shapes.size()];
  }
  return pairs.any() ? pairs : ~pairs;
}

/// The pairs that agree with every answer. Exactly one: the picture is known. None: the answers contradict each other.
inline Pairs consistent_pairs(const std::vector<layers::Described::Question>& questions) {
  Pairs pairs = ~Pairs();
  for (const auto& question : questions) {
    Pairs mentioned = ~Pairs();
    bool negated = false;
    const auto& text = question.text;
    for (std::size_t at = 0; at < text.size();) {
      std::size_t to = at;
      while (to < text.size() && text[to] >= 'a' && text[to] <= 'z') ++to;
      const auto word = std::string_view(text).substr(at, to - at);
      mentioned &= pairs_with(word);
      negated = negated || word == "not" || word == "no";
      at = to + 1;
    }
    if (question.answer != "yes" && question.answer != "no") {
      pairs &= mentioned & pairs_with(question.answer);  // "what color is the circle?" "red"
    } else if ((question.answer == "yes") != negated) {
      pairs &= mentioned;
    } else {
      pairs &= ~mentioned;
    }
  }
  return pairs;
}

/// "a red triangle", or an empty text where the answers leave more than one possibility or none.
inline std::string recover_caption(const std::vector<layers::Described::Question>& questions) {
  const Pairs pairs = consistent_pairs(questions);
  if (pairs.count() != 1) return {};
  return caption_of(static_cast<std::size_t>(std::countr_zero(pairs.to_ullong())));
}

}  // namespace blip3u::easy_vqa
