#include "words.h"

#include <algorithm>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "blip3u/utf8.h"
#include "io/say.h"
#include "model/unknown_words.h"
#include "origin.h"

namespace blip3u {

namespace {

constexpr std::size_t most_words = 8, longest_word = 40;

std::string clipped(const std::string& word) {
  if (word.size() <= longest_word) return word;
  std::size_t end = longest_word;
  while (!begins_character(word[end])) --end;
  return word.substr(0, end) + "…";
}

}  // namespace

std::string listed(const std::vector<std::string>& words) {
  const std::size_t shown = std::min(words.size(), most_words);
  std::string text;
  for (std::size_t i = 0; i < shown; ++i) {
    text += fmt::format("{}`{}`", i == 0 ? "" : ", ", printable(clipped(words[i])));
  }
  return shown == words.size() ? text : text + fmt::format(" and {} more", words.size() - shown);
}

void check_utf8(const std::string& text, const std::string& what) {
  if (const std::size_t place = first_not_utf8(text); place != std::string::npos) {
    throw Error(Fault::usage, fmt::format("{}: is not UTF-8 from byte {} on; correct it", what, place + 1));
  }
}

void say_unknown_words(const Tokenizer& tokenizer, const std::string& text, const std::string& what) {
  const WordCheck check = check_words(tokenizer, text);
  if (check.all && check.unknown.empty()) throw Error(Fault::usage, fmt::format("{}: has no words; give some", what));
  if (check.all) {
    throw Error(Fault::usage, fmt::format("{}: the model has never seen {}, and there are no other words; use words "
                                          "that it was trained on",
                                          what, listed(check.unknown)));
  }
  if (!check.unknown.empty()) {
    say(fmt::format("blip3u: {}: the model has never seen {}, and goes by the other words", what,
                    listed(check.unknown)));
  }
}

}  // namespace blip3u
