// Features of a frozen encoder on disk, made once and then read row by row.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "blip3u/export.h"
#include "blip3u/tensor.h"
#include "io/array_file.h"

namespace blip3u {

/// What an encoder made of one picture, on the CPU. At least one of the two is there, the same ones in every row.
struct FeatureRow {
  Tensor x;      ///< [N,D] float32; N may differ by row
  Tensor codes;  ///< [N] or [N,R] int64
};

/// A table by sample id in a folder of HDF5 files, each a chunk of rows. A chunk appears complete or not at all, so
/// that whoever is interrupted while filling the table loses one chunk at most and goes on with what holds() lacks.
/// (One growing HDF5 file would be lost whole: the format does not survive a writer that is killed.) A row is read
/// without the rest of its chunk; in memory is an index of 64-bit hashes of the ids, and the chunk in the making. A
/// chunk is called by a hash of its ids, so that several processes may fill one table; each sees what was there when it
/// opened it. One thread uses an object.
class BLIP3U_API FeatureCache {
 public:
  using Warn = std::function<void(const std::string& message)>;

  /// Opens the table, or begins one. A damaged index is reported (no `warn`: a line on standard error) and its rows
  /// count as absent.
  explicit FeatureCache(std::filesystem::path folder, std::int64_t rows_per_chunk = 1024, Warn warn = {});

  std::int64_t size() const { return static_cast<std::int64_t>(places_.size()); }
  bool holds(std::string_view id) const;

  /// Adds a row that is not there; a full chunk is written. Throws Error if it is there, or unlike the row before.
  void add(std::string_view id, const FeatureRow& row);

  /// Writes the rows that fill no chunk yet. Call it at the end; the destructor drops them.
  void flush();

  /// Throws Error if there is none, or if its chunk is damaged, naming the file.
  FeatureRow row(std::string_view id) const;

 private:
  struct Place {
    std::int64_t chunk, row;
  };
  struct Chunk {
    std::vector<std::int64_t> ends;   // of each row's tokens
    std::unique_ptr<ArrayFile> file;  // while it is open
    bool sound = false;               // it was opened, and so checked, before
  };

  std::filesystem::path file_of(std::int64_t chunk, const char* part) const;
  void read_index(std::int64_t chunk);
  std::int64_t pending_chunk() const { return static_cast<std::int64_t>(names_.size()); }
  const ArrayFile& open(std::int64_t chunk) const;

  std::filesystem::path folder_;
  std::int64_t rows_per_chunk_;
  Warn warn_;
  std::unordered_map<std::uint64_t, Place> places_;
  mutable std::map<std::int64_t, Chunk> chunks_;
  mutable std::deque<std::int64_t> open_;  // the longest open first
  std::vector<std::string> names_;         // of the chunks
  std::vector<std::uint64_t> pending_ids_;
  std::vector<FeatureRow> pending_;
};

}  // namespace blip3u
