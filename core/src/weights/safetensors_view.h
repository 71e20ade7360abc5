// One safetensors file, mapped: its tensors are the file's own pages.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "blip3u/weights.h"

namespace blip3u {

/// The format's name of a type; null if the format has none.
BLIP3U_API const char* safetensors_type(at::ScalarType type);

class BLIP3U_API SafetensorsView {
 public:
  struct Entry {
    TensorInfo info;
    std::size_t offset = 0, bytes = 0;  ///< in the data
  };

  /// Maps the file and checks its header: every tensor's type, shape, place and size, without touching the data.
  /// Errors name the file and end with `mend`.
  SafetensorsView(std::filesystem::path path, std::string mend);

  const std::vector<Entry>& entries() const { return entries_; }  ///< in the order of their data
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  Tensor view(const Entry& entry) const;  ///< as Weights::view

  std::string_view header() const { return header_; }
  std::string_view bytes() const;  ///< of the whole file
  [[noreturn]] void fail(std::string_view state, const std::string& reason) const;

 private:
  class Mapping;
  struct Parser;

  std::filesystem::path path_;
  std::string mend_;
  std::shared_ptr<const Mapping> mapping_;
  std::string_view header_, data_;
  std::map<std::string, std::string> metadata_;
  std::vector<Entry> entries_;
};

}  // namespace blip3u
