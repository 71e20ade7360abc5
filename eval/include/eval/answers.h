// How answers in words are compared.
#pragma once

#include <string>
#include <string_view>

namespace blip3u::eval {

/// What exact_match@1 compares: lower case, punctuation dropped, words one space apart.
std::string plain_answer(std::string_view answer);

}  // namespace blip3u::eval
