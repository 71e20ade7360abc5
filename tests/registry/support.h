// What the registry's tests share.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "blip3u/error.h"
#include "temporary_folder.h"

namespace blip3u::testing {

/// A library of tests/broken_plugins.
inline std::filesystem::path broken(const std::string& name) {
  return std::filesystem::path(BLIP3U_BUILD_DIR) / "broken_plugins" / name / (name + ".so");
}

/// Copies a file into a folder.
inline std::filesystem::path add(const TemporaryFolder& folder, const std::filesystem::path& source) {
  const auto target = folder.path() / source.filename();
  std::filesystem::copy_file(source, target);
  return target;
}

/// The Error that a call throws; none if it throws none.
inline std::optional<Error> error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

}  // namespace blip3u::testing
