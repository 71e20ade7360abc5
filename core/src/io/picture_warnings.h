// What libraries complained of in pictures that were read all the same.
#pragma once

#include <string>
#include <vector>

#include "blip3u/export.h"

namespace blip3u {

/// Remembers a warning about a picture, each once. May be called by any thread.
void note_picture_warning(const std::string& name, const std::string& warning);

/// "NAME: WARNING" of each that came since the last call, sorted.
BLIP3U_API std::vector<std::string> take_picture_warnings();

}  // namespace blip3u
