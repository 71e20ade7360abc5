// One process at a time.
#pragma once

#include <filesystem>

#include "blip3u/export.h"

namespace blip3u {

/// Holds an advisory lock on a file, which it creates, until destroyed or until the process ends in whatever way.
/// Waits for another holder, saying so; an interrupt ends the wait.
class BLIP3U_API FileLock {
 public:
  explicit FileLock(const std::filesystem::path& file);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int descriptor_;
};

}  // namespace blip3u
