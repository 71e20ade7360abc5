// The replies to the items of one task, as they lie in its folder.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "blip3u/task.h"

namespace blip3u {

/// replies.jsonl has a line for each item: its id, a hash of what was asked, and the replies; their pictures lie beside
/// it as PNG files. Lines are appended. One that a killed process cut off is dropped. What other programs store there
/// may leave out the hash.
class BLIP3U_API Predictions {
 public:
  /// Reads what is there, which may be nothing. `seed` is the one that the items' random numbers derive from. Throws
  /// Error naming file and line if a line is damaged.
  Predictions(std::filesystem::path folder, std::uint64_t seed);

  /// Whether all replies to the item are there, and it was asked as it is now.
  bool has(const Item& item) const;

  /// The stored replies to an item that it has. Throws Error naming the file if a picture is damaged.
  std::vector<Output> outputs(const Item& item) const;

  /// Stores all replies to an item. Texts are kept as UTF-8; of pictures every bit; a number that is not finite counts
  /// as minus infinity. Throws Error naming the file if it cannot be written.
  void append(const Item& item, std::span<const Output> outputs);

 private:
  std::filesystem::path file() const { return folder_ / "replies.jsonl"; }
  std::string picture_name(const Item& item, std::size_t reply, std::size_t number) const;
  bool is_whole(const nlohmann::json& reply, const Item& item) const;
  Output restored(const nlohmann::json& reply) const;
  void write_line(const std::string& line);

  std::filesystem::path folder_;
  std::uint64_t seed_;
  std::uintmax_t whole_bytes_ = 0;  // of the file, up to the end of its last whole line
  std::map<std::string, nlohmann::json> lines_;
};

}  // namespace blip3u
