// Published data packages.
#pragma once

#include <filesystem>
#include <string>

#include "blip3u/export.h"

namespace blip3u {

/// Makes sure that the content of a Python wheel lies unzipped in the folder `into`; returns at once if it does. Else
/// the wheel is taken from the folder that BLIP3U_PACKAGE_FOLDER names, if it is there, or downloaded by pip. Its
/// SHA-256 must be `sha256` (hex). On any failure throws Error, and `into` is as it was before.
BLIP3U_API void fetch_package(const std::string& name, const std::string& version, const std::string& sha256,
                              const std::filesystem::path& into);

}  // namespace blip3u
