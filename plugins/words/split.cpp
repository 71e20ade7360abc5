#include "words/split.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>

#include <utf8proc.h>

#include "blip3u/error.h"

namespace blip3u::words {

namespace {

using Character = utf8proc_int32_t;

struct Range {
  Character first, last;
};
/// Blocks of scripts that put no blanks between words (Unicode 14).
constexpr std::array<Range, 14> without_blanks = {{{0x0E00, 0x0EFF},      // Thai, Lao
                                                   {0x0F00, 0x0FFF},      // Tibetan
                                                   {0x1000, 0x109F},      // Burmese
                                                   {0x1780, 0x17FF},      // Khmer
                                                   {0x19E0, 0x19FF},      // Khmer symbols
                                                   {0x2E80, 0x2FDF},      // radicals
                                                   {0x3005, 0x3007},      // marks of iteration, zero
                                                   {0x3040, 0x30FF},      // Kana
                                                   {0x3100, 0x312F},      // Bopomofo
                                                   {0x31A0, 0x31FF},      // Bopomofo, Kana
                                                   {0x3400, 0x4DBF},      // Han
                                                   {0x4E00, 0x9FFF},      // Han
                                                   {0xF900, 0xFAFF},      // Han
                                                   {0x20000, 0x3FFFF}}};  // Han

bool without_blank(Character character) {
  return std::ranges::any_of(
      without_blanks, [character](const Range& range) { return character >= range.first && character <= range.last; });
}

bool joins(Character character) { return character == '\'' || character == '-' || character == '_'; }

bool is_letter(Character character) {
  switch (utf8proc_category(character)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return true;
    default: return joins(character);
  }
}

bool is_symbol(Character character) {
  const auto category = utf8proc_category(character);
  return category == UTF8PROC_CATEGORY_SO || category == UTF8PROC_CATEGORY_SK || category == UTF8PROC_CATEGORY_CO;
}

bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char byte) { return static_cast<unsigned char>(byte) < 0x80; });
}

char lower(char character) {
  return character >= 'A' && character <= 'Z' ? static_cast<char>(character - 'A' + 'a') : character;
}

/// The same as below for ASCII, which most texts are, at a tenth of the time.
std::vector<std::string> split_plain(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (const char raw : text) {
    const char character = lower(raw);
    if ((character >= 'a' && character <= 'z') || (character >= '0' && character <= '9') || joins(character)) {
      word += character;
    } else if (!word.empty()) {
      words.push_back(std::exchange(word, {}));
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

std::vector<Character> decoded(std::string_view text) {
  constexpr Character replacement = 0xFFFD;
  std::vector<Character> characters;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (std::size_t at = 0; at < text.size();) {
    Character character = -1;
    const auto length = utf8proc_iterate(bytes + at, static_cast<utf8proc_ssize_t>(text.size() - at), &character);
    characters.push_back(length > 0 ? character : replacement);
    at += length > 0 ? static_cast<std::size_t>(length) : 1;
  }
  return characters;
}

void append(Character character, std::string& text) {
  std::array<utf8proc_uint8_t, 4> bytes{};
  const auto length = utf8proc_encode_char(character, bytes.data());
  text.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(length));
}

/// What people type for one thing is one character: curled apostrophes and the hyphens of print; soft hyphens and marks
/// of width zero, which nobody sees, are dropped.
std::string with_plain_marks(std::string_view text) {
  std::string result;
  for (Character character : decoded(text)) {
    if (character == 0x00AD || character == 0x2060 || character == 0xFEFF) continue;
    if (character == 0x2018 || character == 0x2019 || character == 0x02BC) character = '\'';
    if (character == 0x2010 || character == 0x2011) character = '-';
    append(character, result);
  }
  return result;
}

std::vector<Character> normalised(std::string_view text) {
  const std::string plain = with_plain_marks(text);
  utf8proc_uint8_t* made = nullptr;
  const auto length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(plain.data()), static_cast<utf8proc_ssize_t>(plain.size()),
                   &made, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT));
  const std::unique_ptr<utf8proc_uint8_t, void (*)(void*)> guard(made, std::free);
  if (length < 0) throw Error("tokenizer words: a text cannot be normalised: " + std::string(utf8proc_errmsg(length)));
  auto characters = decoded({reinterpret_cast<const char*>(made), static_cast<std::size_t>(length)});
  for (Character& character : characters) character = utf8proc_tolower(character);
  return characters;
}

}  // namespace

std::vector<std::string> split(std::string_view text) {
  if (is_plain(text)) return split_plain(text);
  const std::vector<Character> characters = normalised(text);
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) words.push_back(std::exchange(word, {}));
  };
  utf8proc_int32_t state = 0;
  for (std::size_t begin = 0; begin < characters.size();) {
    std::size_t end = begin + 1;  // of what people see as one character
    while (end < characters.size() && !utf8proc_grapheme_break_stateful(characters[end - 1], characters[end], &state))
      ++end;
    const Character first = characters[begin];
    const bool alone = without_blank(first) ? is_letter(first) : is_symbol(first);
    if (alone || !is_letter(first)) end_word();
    if (alone || is_letter(first)) {
      for (std::size_t i = begin; i < end; ++i) append(characters[i], word);
    }
    if (alone) end_word();
    begin = end;
    state = 0;
  }
  end_word();
  return words;
}

bool stands_without_blanks(std::string_view word) {
  const std::vector<Character> characters = decoded(word);
  return !characters.empty() && without_blank(characters.front());
}

}  // namespace blip3u::words
