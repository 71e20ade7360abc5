// What a text says that the model has no words for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "blip3u/tokenizer.h"

namespace blip3u {

struct WordCheck {
  std::vector<std::string> unknown;  ///< each once, in their order
  bool all = false;                  ///< no word is known, or there is none
};

/// The words of a text that the tokenizer cannot tell from one that nobody ever wrote; it gives both the same ids. None
/// for a tokenizer that spells what it does not know.
BLIP3U_API WordCheck check_words(const Tokenizer& tokenizer, std::string_view text);

}  // namespace blip3u
