// What lies in a folder of pictures.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "image_folder/report.h"

namespace blip3u::image_folder {

/// The files below a folder that matter, each by its path relative to it, sorted.
struct Listing {
  std::vector<std::filesystem::path> pictures;
  std::vector<std::filesystem::path> texts;  ///< that may stand beside a picture: .txt, .caption
  std::vector<std::filesystem::path> lists;  ///< that may describe many: .jsonl, .json, .csv, .tsv
};

/// Lists the folder. What is left aside is counted. Hears Ctrl-C; throws Error naming a folder that cannot be read.
Listing list(const std::filesystem::path& folder, Tally& aside);

/// Finds pictures by the names that lists give them.
class PictureNames {
 public:
  explicit PictureNames(const std::vector<std::filesystem::path>& pictures);

  /// The place of the picture that a list in `folder` (relative, may be empty) calls `name`: counted from the list's
  /// folder or from the whole's, or the only one whose path ends so. Nothing if there is none.
  std::optional<std::size_t> find(const std::filesystem::path& folder, std::string_view name) const;

 private:
  const std::vector<std::filesystem::path>& pictures_;
  std::unordered_map<std::string, std::size_t> paths_;
  std::unordered_multimap<std::string, std::size_t> names_;  // without their folders
};

}  // namespace blip3u::image_folder
