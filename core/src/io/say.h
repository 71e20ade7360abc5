// Lines for people, on standard error.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "blip3u/export.h"

namespace blip3u {

/// Writes the text and a line break. Standard error may be closed or its disk full: work does not fail for that.
BLIP3U_API void say(std::string_view text);

/// The first twenty of many, each on a line of its own below a text, and how many more there are.
BLIP3U_API std::string line_by_line(const std::vector<std::string>& lines);

}  // namespace blip3u
