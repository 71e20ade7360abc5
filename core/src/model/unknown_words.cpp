#include "model/unknown_words.h"

#include <algorithm>
#include <set>

namespace blip3u {

namespace {

constexpr std::string_view never_written = "qzxjwvkqzxj";

/// Whether a byte may be part of a word: letters, digits, all beyond ASCII, and what joins words.
bool belongs_to_word(char character) {
  const auto byte = static_cast<unsigned char>(character);
  return byte >= 0x80 || (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         byte == '\'' || byte == '-' || byte == '_';
}

}  // namespace

WordCheck check_words(const Tokenizer& tokenizer, std::string_view text) {
  const std::vector<std::int64_t> unknown = tokenizer.encode(never_written);
  WordCheck result{.unknown = {}, .all = true};
  std::set<std::string, std::less<>> seen;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = begin;
    while (end < text.size() && belongs_to_word(text[end])) ++end;
    const std::string_view word = text.substr(begin, end - begin);
    begin = end + 1;
    if (word.empty() || !seen.emplace(word).second) continue;
    // A run of a script without blanks is several words, of which each counts.
    const std::vector<std::int64_t> ids = tokenizer.encode(word);
    const bool one_id = unknown.size() == 1;  // for all unknown words
    const auto unknown_ids = one_id ? std::ranges::count(ids, unknown.front()) : ids == unknown ? std::ssize(ids) : 0;
    if (unknown_ids > 0) result.unknown.emplace_back(word);
    if (unknown_ids < std::ssize(ids)) result.all = false;
  }
  return result;
}

}  // namespace blip3u
