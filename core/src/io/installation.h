// Where the program lies.
#pragma once

#include <filesystem>

#include "blip3u/export.h"

namespace blip3u {

/// The folder that holds the bin/, lib/ and share/ of this program, in a build tree or installed.
BLIP3U_API std::filesystem::path installation();

/// The run directory of the model that comes with the program; there may be none.
BLIP3U_API std::filesystem::path shipped_run();

}  // namespace blip3u
