// Reading and writing whole files. What is written appears complete or not at all.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "blip3u/error.h"
#include "blip3u/export.h"

namespace blip3u {

/// Where this process makes a file or folder before it becomes `target`: beside it, under a name that no other process
/// has, also on another host or in another container that shares the folder.
BLIP3U_API std::filesystem::path partial_path(const std::filesystem::path& target);

/// A file or folder in the making beside its target. Unless committed, it vanishes with this object; what a killed
/// process left behind is removed when the same target is next written.
class BLIP3U_API PendingPath {
 public:
  explicit PendingPath(std::filesystem::path target);  ///< creates the parent folder if need be
  ~PendingPath();
  PendingPath(const PendingPath&) = delete;
  PendingPath& operator=(const PendingPath&) = delete;

  const std::filesystem::path& path() const { return path_; }
  void commit();  ///< makes the content durable and renames it to the target, replacing a file that is there

 private:
  std::filesystem::path target_;
  std::filesystem::path path_;
};

/// A new file, written in pieces, whose every failure is an Error that says path, reason and mend.
class BLIP3U_API OutputFile {
 public:
  /// Errors speak of `shown` instead of `path` if it is given.
  explicit OutputFile(const std::filesystem::path& path, const std::filesystem::path& shown = {});
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::string_view bytes);
  void close();

 private:
  std::filesystem::path shown_;
  int descriptor_;
};

/// Writes through a temporary file in the same folder, so that `path` holds the old content or the new, never a part.
BLIP3U_API void write_atomically(const std::filesystem::path& path, std::string_view content);
BLIP3U_API void write_atomically(const std::filesystem::path& path, const std::vector<std::string_view>& parts);

/// Gives a file another name, on the same file system without a copy. A name that is there stays; a file that is not
/// there gets none.
BLIP3U_API void link_file(const std::filesystem::path& file, const std::filesystem::path& name);

/// Creates a folder and those above it, where they do not exist.
BLIP3U_API void create_folder(const std::filesystem::path& folder);

/// The bytes of a file, or of a pipe until it ends.
BLIP3U_API std::string read_text(const std::filesystem::path& path);

/// The Error for a failed question about a file or folder: path, reason and how to mend it.
BLIP3U_API Error error_of(const std::filesystem::filesystem_error& error);

/// The Error for a failed write: path, reason and how to mend it. `error_number` as in errno.
[[noreturn]] BLIP3U_API void throw_write_error(const std::filesystem::path& path, int error_number);

}  // namespace blip3u
