// SHA-256.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "blip3u/export.h"
#include "blip3u/tensor.h"

namespace blip3u {

/// SHA-256 of bytes that come in pieces.
class BLIP3U_API Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void update(std::string_view bytes);
  void update(const Tensor& values);  ///< on the CPU, row by row
  std::string hex();                  ///< 64 lower-case digits; ends the computation

 private:
  struct State;
  std::unique_ptr<State> state_;
};

BLIP3U_API std::string sha256_text(std::string_view text);

/// Hash of a file's content from byte `offset` on. Throws Error naming the file if it cannot be read.
BLIP3U_API std::string sha256_file(const std::filesystem::path& path, std::size_t offset = 0);

}  // namespace blip3u
