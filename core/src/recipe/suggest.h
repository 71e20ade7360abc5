// Suggestions for names that are not known.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "blip3u/export.h"

namespace blip3u {

/// "; did you mean `x`?" for the nearest known name within an edit distance of 2, else "; known WHAT: a, b, c".
BLIP3U_API std::string suggest(std::string_view name, const std::vector<std::string>& known, std::string_view what);

}  // namespace blip3u
