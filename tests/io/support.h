// What the tests of files share.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

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

/// While it lives this process is not root, who may read and write everything, unless it cannot stop being it.
class NotRoot {
 public:
  NotRoot() : was_root_(geteuid() == 0), is_root_(was_root_ && seteuid(65534) != 0) {}
  ~NotRoot() {
    if (was_root_ && !is_root_ && seteuid(0) != 0) ADD_FAILURE() << "cannot become root again";
  }
  NotRoot(const NotRoot&) = delete;
  NotRoot& operator=(const NotRoot&) = delete;

  bool failed() const { return is_root_; }

 private:
  bool was_root_, is_root_;
};

/// Expects that a write of `target` on a disk without space says so, and leaves what was there. It gets there because
/// the temporary file that it will write to is a way to /dev/full.
template <class Write>
void expect_no_space_for(const std::filesystem::path& target, const Write& write) {
  const std::string before = read_text(target);
  const auto partial = partial_path(target);
  std::filesystem::create_symlink("/dev/full", partial);
  EXPECT_THAT(message_of(write),
              ::testing::StartsWith(target.string() + ": cannot be written: No space left on device; "
                                                      "free some space"));
  EXPECT_EQ(read_text(target), before);
  EXPECT_FALSE(std::filesystem::is_symlink(partial)) << "the temporary file was left behind";
}

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

inline std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

/// A PNG of a stated size, sound in all but its content.
inline std::string png_of_size(std::uint32_t width, std::uint32_t height) {
  const auto chunk = [](const std::string& type, const std::string& content) {
    return big_endian(static_cast<std::uint32_t>(content.size())) + type + content + big_endian(crc32(type + content));
  };
  return std::string("\x89PNG\r\n\x1a\n", 8) +
         chunk("IHDR", big_endian(width) + big_endian(height) + std::string("\x08\x02\0\0\0", 5)) + chunk("IDAT", "x") +
         chunk("IEND", "");
}

}  // namespace blip3u
