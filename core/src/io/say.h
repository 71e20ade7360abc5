// Lines for people, on standard error.
#pragma once

#include <string_view>

#include "blip3u/export.h"

namespace blip3u {

/// Writes the text and a line break. Standard error may be closed or its disk full: work does not fail for that.
BLIP3U_API void say(std::string_view text);

}  // namespace blip3u
