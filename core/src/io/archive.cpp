#include "io/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <memory>
#include <vector>

#include "blip3u/error.h"
#include "io/files.h"

namespace blip3u {

namespace {

bool stays_inside(const std::filesystem::path& path) {
  if (path.empty() || path.is_absolute()) return false;
  for (const auto& part : path) {
    if (part == "..") return false;
  }
  return true;
}

}  // namespace

void unzip(const std::filesystem::path& archive_path, const std::filesystem::path& folder,
           std::uint64_t largest_content) {
  const std::unique_ptr<archive, int (*)(archive*)> reader(archive_read_new(), archive_read_free);
  const auto fail = [&](const std::string& reason) {
    throw Error(fmt::format("{}: {}; replace the file", archive_path.string(), reason));
  };
  const auto check = [&](la_ssize_t result) {
    if (result < ARCHIVE_OK) fail(fmt::format("damaged zip file ({})", archive_error_string(reader.get())));
    return result;
  };
  archive_read_support_format_zip_seekable(reader.get());
  check(archive_read_open_filename(reader.get(), archive_path.c_str(), 1 << 16));

  std::uint64_t total = 0;
  std::vector<char> buffer(1 << 16);
  archive_entry* entry = nullptr;
  while (check(archive_read_next_header(reader.get(), &entry)) != ARCHIVE_EOF) {
    const char* name = archive_entry_pathname(entry);
    const std::filesystem::path relative = name == nullptr ? "" : name;
    if (!stays_inside(relative)) fail(fmt::format("its entry '{}' would land outside the folder", relative.string()));
    const std::filesystem::path target = folder / relative;
    if (archive_entry_filetype(entry) == AE_IFDIR) {
      create_folder(target);
      continue;
    }
    if (archive_entry_filetype(entry) != AE_IFREG) {
      fail(fmt::format("its entry '{}' is neither a file nor a folder", relative.string()));
    }
    create_folder(target.parent_path());
    OutputFile file(target);
    la_ssize_t count = 0;
    while ((count = check(archive_read_data(reader.get(), buffer.data(), buffer.size()))) > 0) {
      total += static_cast<std::uint64_t>(count);
      if (total > largest_content) fail(fmt::format("its content is larger than {} bytes", largest_content));
      file.write({buffer.data(), static_cast<std::size_t>(count)});
    }
    file.close();
  }
}

}  // namespace blip3u
