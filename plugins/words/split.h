// Texts as words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace blip3u::words {

/// The words of a text in UTF-8: normalised (NFKC), in lower case, without invisible characters. A word is
///   a run of letters, marks, digits, apostrophes, hyphens and underscores;
///   one character of a script that is written without blanks: Han, Kana, Thai, Lao, Khmer, Burmese, Tibetan;
///   or one symbol, such as an emoji with all that belongs to it.
/// All else, punctuation included, only separates words. Bytes that are no UTF-8 count as the symbol U+FFFD.
std::vector<std::string> split(std::string_view text);

/// Whether a word is written next to others of its kind without a blank.
bool stands_without_blanks(std::string_view word);

}  // namespace blip3u::words
