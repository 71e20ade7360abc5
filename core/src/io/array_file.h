// Bulk arrays on disk, in HDF5.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "blip3u/export.h"
#include "blip3u/tensor.h"

namespace blip3u {

/// A file of named arrays, float32, float64 or int64, each of which can be read whole or a few rows at a time. The HDF5
/// library is not made for several threads: use one.
class BLIP3U_API ArrayFile {
 public:
  /// The file appears complete, with a checksum, or not at all.
  static void write(const std::filesystem::path& path, const std::vector<NamedTensor>& arrays);

  /// Throws Error naming the file if it is missing, truncated or altered; the last is not looked for in a file that was
  /// found `sound` before.
  explicit ArrayFile(const std::filesystem::path& path, bool sound = false);
  ~ArrayFile();
  ArrayFile(ArrayFile&& other) noexcept;

  bool holds(const std::string& name) const;
  Tensor read(const std::string& name) const;

  /// The rows [first, first + count) along the first dimension, without reading the others.
  Tensor read_rows(const std::string& name, std::int64_t first, std::int64_t count) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Columns of numbers of equal length, each a data set of its name.
struct Column {
  std::string name;
  std::vector<double> values;
};
BLIP3U_API void write_series(const std::filesystem::path& path, const std::vector<Column>& columns);
BLIP3U_API std::vector<Column> read_series(const std::filesystem::path& path);

}  // namespace blip3u
