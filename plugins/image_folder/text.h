// Text files as people have them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "blip3u/error.h"

namespace blip3u::image_folder {

/// A text that is not what it should be; names the file.
class Unreadable : public Error {
 public:
  using Error::Error;
};

/// A file's text in UTF-8, without a byte order mark. UTF-16 is converted where its byte order mark says so. Throws
/// Unreadable that names the line where it is not UTF-8, and what it may be instead.
std::string read_utf8(const std::filesystem::path& file);

/// Without blanks at both ends.
std::string trimmed(std::string_view text);

/// The lines of a text that are not blank, trimmed.
std::vector<std::string> lines_of(std::string_view text);

}  // namespace blip3u::image_folder
