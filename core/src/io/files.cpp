#include "io/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <fstream>

#include "blip3u/error.h"
#include "io/hash.h"

namespace blip3u {

namespace {

const char* mend_for(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT: return "free some space there, or choose another output folder";
    case EFBIG: return "the limit on file sizes (ulimit -f) or the file system does not allow a file this large";
    case EACCES:
    case EPERM:
    case EROFS: return "make the folder writable, or choose another output folder";
    case ENOTDIR:
    case EEXIST: return "a file is in the way of a folder of that name; move it, or choose another path";
    case EISDIR:
    case ENOTEMPTY: return "a folder of that name is in the way; move it, or choose another path";
    default: return "check the disk and the path";
  }
}

/// The space in which a process number means one process: this start of this machine, and this container. Hosts that
/// share a folder, or containers that do, have tags of their own.
const std::string& process_space() {
  static const std::string tag = [] {
    std::array<char, 256> host{};
    gethostname(host.data(), host.size() - 1);
    std::string boot;
    std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), boot);
    std::error_code ignored;
    const auto processes = std::filesystem::read_symlink("/proc/self/ns/pid", ignored).string();
    return sha256_text(fmt::format("{}\n{}\n{}", host.data(), boot, processes)).substr(0, 12);
  }();
  return tag;
}

std::string partial_prefix(const std::filesystem::path& target) {
  return fmt::format(".{}.partial-", target.filename().string());
}

std::filesystem::path folder_of(const std::filesystem::path& target) {
  return target.has_parent_path() ? target.parent_path() : ".";
}

/// Removes temporaries of the same target whose process is gone. Whether one of another host or container lives cannot
/// be asked; those that nobody has touched for a week are taken for abandoned.
void remove_abandoned(const std::filesystem::path& folder, const std::string& prefix) {
  const std::string ours = prefix + process_space() + "-";
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix)) continue;
    bool abandoned = false;
    if (name.starts_with(ours)) {
      pid_t process = 0;
      const char* end = name.data() + name.size();
      const bool number = std::from_chars(name.data() + ours.size(), end, process).ptr == end && process > 0;
      abandoned = number && kill(process, 0) != 0 && errno == ESRCH;
    } else {
      std::error_code error;
      const auto touched = std::filesystem::last_write_time(entry.path(), error);
      abandoned = !error && std::filesystem::file_time_type::clock::now() - touched > std::chrono::days(7);
    }
    if (abandoned) std::filesystem::remove_all(entry.path(), ignored);
  }
}

void synchronize(const std::filesystem::path& path, const std::filesystem::path& target) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw_write_error(target, errno);
  const int result = fsync(descriptor);
  const int error_number = errno;
  close(descriptor);
  if (result != 0 && error_number != EINVAL) throw_write_error(target, error_number);  // EINVAL: cannot be synced
}

/// What a pipe or a device gives until it ends; such files have no size.
std::string read_stream(std::ifstream& stream, const std::filesystem::path& path) {
  constexpr std::size_t largest = std::size_t{64} << 20;
  std::string content;
  std::array<char, 1 << 16> piece;
  while (stream.read(piece.data(), piece.size()), stream.gcount() > 0) {
    content.append(piece.data(), static_cast<std::size_t>(stream.gcount()));
    if (content.size() > largest) {
      throw Error(
          fmt::format("{}: gives more than 64 MiB and is no file; store that in a file, and name it", path.string()));
    }
  }
  if (stream.bad()) {
    throw Error(fmt::format("{}: cannot be read: {}; check the disk", path.string(), std::strerror(errno)));
  }
  return content;
}

}  // namespace

Error error_of(const std::filesystem::filesystem_error& error) {
  if (error.path1().empty()) return Error(error.what());
  return Error(fmt::format("{}: {}; check that it exists and that you may use it", error.path1().string(),
                           error.code().message()));
}

void throw_write_error(const std::filesystem::path& path, int error_number) {
  throw Error(
      fmt::format("{}: cannot be written: {}; {}", path.string(), std::strerror(error_number), mend_for(error_number)));
}

void link_file(const std::filesystem::path& file, const std::filesystem::path& name) {
  if (!std::filesystem::exists(file) || std::filesystem::exists(name)) return;
  create_folder(name.parent_path());
  std::error_code error;
  std::filesystem::create_hard_link(std::filesystem::canonical(file), name, error);
  if (!error) return;
  PendingPath pending(name);  // another file system
  std::filesystem::copy_file(file, pending.path());
  pending.commit();
}

void create_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw_write_error(folder, error.value());
}

std::filesystem::path partial_path(const std::filesystem::path& target) {
  return folder_of(target) / fmt::format("{}{}-{}", partial_prefix(target), process_space(), getpid());
}

PendingPath::PendingPath(std::filesystem::path target) : target_(std::move(target)) {
  const std::filesystem::path folder = folder_of(target_);
  create_folder(folder);
  remove_abandoned(folder, partial_prefix(target_));
  path_ = partial_path(target_);
}

PendingPath::~PendingPath() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void PendingPath::commit() {
  synchronize(path_, target_);
  if (std::rename(path_.c_str(), target_.c_str()) != 0) throw_write_error(target_, errno);
  synchronize(path_.parent_path(), target_);
}

OutputFile::OutputFile(const std::filesystem::path& path, const std::filesystem::path& shown)
    : shown_(shown.empty() ? path : shown),
      descriptor_(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {
  if (descriptor_ < 0) throw_write_error(shown_, errno);
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void OutputFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_write_error(shown_, errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void OutputFile::close() {
  const int result = ::close(descriptor_);
  descriptor_ = -1;
  if (result != 0) throw_write_error(shown_, errno);
}

void write_atomically(const std::filesystem::path& path, std::string_view content) {
  write_atomically(path, std::vector<std::string_view>{content});
}

void write_atomically(const std::filesystem::path& path, const std::vector<std::string_view>& parts) {
  PendingPath pending(path);
  OutputFile file(pending.path(), path);
  for (const std::string_view part : parts) file.write(part);
  file.close();
  pending.commit();
}

std::string read_text(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    throw Error(fmt::format("{}: is a folder, not a file; name a file in it", path.string()));
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw Error(fmt::format("{}: cannot be opened: {}; check the path", path.string(), std::strerror(errno)));
  }
  if (!std::filesystem::is_regular_file(path, error)) return read_stream(file, path);
  file.seekg(0, std::ios::end);
  std::string content(static_cast<std::size_t>(file.tellg()), '\0');
  file.seekg(0);
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  if (!file) throw Error(fmt::format("{}: cannot be read: {}; check the disk", path.string(), std::strerror(errno)));
  return content;
}

}  // namespace blip3u
