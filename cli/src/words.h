// Texts that a model cannot read, or not wholly.
#pragma once

#include <string>
#include <vector>

#include "blip3u/tokenizer.h"

namespace blip3u {

/// "`one`, `two` and 3 more", fit for a terminal.
std::string listed(const std::vector<std::string>& words);

/// Throws Error(Fault::usage) that names the text as `what` if it is not UTF-8.
void check_utf8(const std::string& text, const std::string& what);

/// Says on standard error which words of a text the model has never seen. Throws Error(Fault::usage) if the text has no
/// others. `what` names the text.
void say_unknown_words(const Tokenizer& tokenizer, const std::string& text, const std::string& what);

}  // namespace blip3u
