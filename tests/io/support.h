// What the tests of files share.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>

#include "io/files.h"
#include "message_of.h"
#include "temporary_folder.h"

namespace blip3u {

/// While it lives no file may grow beyond `bytes`: how a disk that fills up looks to the program.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

/// Writes a file at once, without waiting for the disk as write_atomically does.
inline void put(const std::filesystem::path& path, const std::string& content) {
  OutputFile file(path);
  file.write(content);
  file.close();
}

/// The checksum of PNG and zip, bit by bit as the standards define it.
inline std::uint32_t crc32(const std::string& bytes) {
  std::uint32_t value = 0xFFFFFFFFu;
  for (const char byte : bytes) {
    value ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ ((value & 1u) != 0 ? 0xEDB88320u : 0u);
  }
  return ~value;
}

}  // namespace blip3u
