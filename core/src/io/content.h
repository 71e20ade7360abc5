// What stands at a path, as a hash: a run that uses a file is another one when the file is.
#pragma once

#include <filesystem>
#include <string>

#include "blip3u/export.h"

namespace blip3u {

/// Hash of a file's content, or of the names and contents of all files below a folder; where it lies does not count.
/// Of a file over 64 MiB the size, the first MiB and 256 blocks of 4 KiB spread over the rest stand for the content:
/// weights that were trained on differ there, while a single altered byte may not. "nothing" if nothing is there.
BLIP3U_API std::string content_hash(const std::filesystem::path& path);

}  // namespace blip3u
