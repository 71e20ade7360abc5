// JSON files that the toolkit writes.
#pragma once

#include <filesystem>

#include <nlohmann/json_fwd.hpp>

#include "blip3u/export.h"

namespace blip3u {

/// Writes the value for people and programs alike, atomically. What is not UTF-8, as a command line may be, is
/// replaced.
BLIP3U_API void write_json(const std::filesystem::path& file, const nlohmann::json& value);

}  // namespace blip3u
