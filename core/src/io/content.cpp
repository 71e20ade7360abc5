#include "io/content.h"

#include <algorithm>
#include <fstream>
#include <vector>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "io/files.h"
#include "io/hash.h"

namespace blip3u {

namespace fs = std::filesystem;

namespace {

constexpr std::uintmax_t whole_up_to = std::uintmax_t{64} << 20;
constexpr std::size_t front = std::size_t{1} << 20;
constexpr std::size_t blocks = 256, block_bytes = 4096;

std::string hash_of_file(const fs::path& file) {
  const std::uintmax_t size = fs::file_size(file);
  if (size <= whole_up_to) return sha256_file(file);
  std::ifstream stream(file, std::ios::binary);
  std::vector<char> buffer(front);
  Sha256 hash;
  const auto add = [&](std::uintmax_t offset, std::size_t count) {
    stream.seekg(static_cast<std::streamoff>(offset));
    stream.read(buffer.data(), static_cast<std::streamsize>(count));
    if (!stream) throw Error(fmt::format("{}: cannot be read; check the disk and that it is readable", file.string()));
    hash.update({buffer.data(), count});
  };
  hash.update(fmt::format("sample of {} bytes\n", size));
  add(0, front);
  const std::uintmax_t rest = size - front - block_bytes;
  for (std::size_t i = 1; i <= blocks; ++i) add(front + rest / blocks * i, block_bytes);
  return hash.hex();
}

}  // namespace

std::string content_hash(const fs::path& path) {
  try {
    if (!fs::exists(path)) return "nothing";
    if (!fs::is_directory(path)) return fs::is_regular_file(path) ? hash_of_file(path) : "no file";
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    Sha256 hash;
    for (const fs::path& file : files) {
      hash.update(fmt::format("{}\n{}\n", file.lexically_relative(path).string(), hash_of_file(file)));
    }
    return hash.hex();
  } catch (const fs::filesystem_error& error) {
    throw error_of(error);
  }
}

}  // namespace blip3u
