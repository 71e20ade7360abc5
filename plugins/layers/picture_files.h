// Files of pictures, as far as they are known without being read.
#pragma once

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <string>
#include <system_error>

#include <fmt/format.h>

namespace blip3u::layers {

/// In lower case.
inline std::string extension_of(const std::filesystem::path& file) {
  std::string extension = file.extension().string();
  std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
  return extension;
}

/// By its name.
inline bool is_picture_file(const std::filesystem::path& file) {
  const std::string extension = extension_of(file);
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg" || extension == ".webp";
}

/// What changes when a file is replaced: size and time of change.
inline std::string state_of(const std::filesystem::path& file) {
  std::error_code missing;
  const auto size = std::filesystem::file_size(file, missing);
  return fmt::format("{} {}", size, std::filesystem::last_write_time(file, missing).time_since_epoch().count());
}

}  // namespace blip3u::layers
