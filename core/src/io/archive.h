// Unpacking of zip files.
#pragma once

#include <cstdint>
#include <filesystem>

#include "blip3u/export.h"

namespace blip3u {

/// Unpacks a zip file into a folder that exists. Throws Error naming the archive if it is damaged, if an entry would
/// land outside the folder or is neither file nor folder, or if the content exceeds `largest_content` bytes.
BLIP3U_API void unzip(const std::filesystem::path& archive, const std::filesystem::path& folder,
                      std::uint64_t largest_content);

}  // namespace blip3u
