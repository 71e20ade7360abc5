#include "image_folder/listing.h"

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

#include "blip3u/utf8.h"
#include "io/interrupt.h"
#include "layers/picture_files.h"

namespace blip3u::image_folder {

namespace fs = std::filesystem;

namespace {

template <std::size_t count>
bool is_one_of(const std::array<std::string_view, count>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

/// Folders that systems and programs keep for themselves, often with small copies of the pictures.
constexpr std::array<std::string_view, 6> foreign_folders = {"@eaDir",       "__MACOSX",   "#recycle",
                                                             "$RECYCLE.BIN", "lost+found", "System Volume Information"};
constexpr std::array<std::string_view, 13> other_pictures = {
    ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".jfif", ".jxl", ".jp2", ".raw", ".svg", ".psd"};

/// Why an entry is not looked at; empty if it is.
std::string reason_to_leave(const fs::directory_entry& entry) {
  const std::string name = entry.path().filename().string();
  std::error_code failure;
  const bool folder = entry.is_directory(failure);
  if (first_not_utf8(name) != std::string::npos) return "names that are not UTF-8";
  if (name.starts_with('.')) return folder ? "hidden folders" : "hidden files";
  if (folder && is_one_of(foreign_folders, name)) return "folders of other programs";
  if (folder) return entry.is_symlink(failure) ? "linked folders" : "";
  if (!entry.exists(failure)) return "links to nothing";
  if (!entry.is_regular_file(failure)) return "neither files nor folders";
  return {};
}

}  // namespace

Listing list(const fs::path& folder, Tally& aside) {
  Listing listing;
  std::error_code failure;  // not an exception, which would not name the folder
  for (fs::recursive_directory_iterator entry(folder, failure), end; entry != end; entry.increment(failure)) {
    stop_if_interrupted();
    const fs::path relative = entry->path().lexically_relative(folder);
    if (const std::string reason = reason_to_leave(*entry); !reason.empty()) {
      aside.add(reason, relative.string());
      entry.disable_recursion_pending();
      continue;
    }
    if (entry->is_directory()) continue;
    const std::string extension = layers::extension_of(relative);
    if (layers::is_picture_file(relative)) {
      listing.pictures.push_back(relative);
    } else if (extension == ".txt" || extension == ".caption") {
      listing.texts.push_back(relative);
    } else if (extension == ".jsonl" || extension == ".json" || extension == ".csv" || extension == ".tsv") {
      listing.lists.push_back(relative);
    } else if (is_one_of(other_pictures, extension)) {
      aside.add("pictures that are neither .png, .jpg, .jpeg nor .webp", relative.string());
    } else {
      aside.add("other files", relative.string());
    }
  }
  if (failure) {
    throw Error(fmt::format("dataset image_folder: {}: {}; make it and the folders in it readable", folder.string(),
                            failure.message()));
  }
  for (auto* paths : {&listing.pictures, &listing.texts, &listing.lists}) std::ranges::sort(*paths);
  return listing;
}

PictureNames::PictureNames(const std::vector<fs::path>& pictures) : pictures_(pictures) {
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    paths_.emplace(pictures[i].string(), i);
    names_.emplace(pictures[i].filename().string(), i);
  }
}

std::optional<std::size_t> PictureNames::find(const fs::path& folder, std::string_view name) const {
  const fs::path wanted = fs::path(name).lexically_normal();
  for (const fs::path& path : {(folder / wanted).lexically_normal(), wanted}) {
    if (const auto found = paths_.find(path.string()); found != paths_.end()) return found->second;
  }
  std::optional<std::size_t> only;
  const std::string end = "/" + wanted.string();
  const auto [first, last] = names_.equal_range(wanted.filename().string());
  for (auto at = first; at != last; ++at) {
    if (!("/" + pictures_[at->second].string()).ends_with(end)) continue;
    if (only) return std::nullopt;
    only = at->second;
  }
  return only;
}

}  // namespace blip3u::image_folder
