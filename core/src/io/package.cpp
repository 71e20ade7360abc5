#include "blip3u/package.h"

#include <fmt/format.h>

#include <cctype>
#include <cstdlib>
#include <optional>
#include <vector>

#include "blip3u/error.h"
#include "io/archive.h"
#include "io/command.h"
#include "io/files.h"
#include "io/hash.h"
#include "io/interrupt.h"

namespace blip3u {

namespace {

constexpr const char* stamp_name = ".blip3u-package";
constexpr const char* folder_variable = "BLIP3U_PACKAGE_FOLDER";
constexpr std::uint64_t largest_content = 8ull << 30;

/// How names are spelled in the names of wheels: lower case, runs of -_. as one underscore.
std::string normalized(const std::string& name) {
  std::string result;
  for (const char character : name) {
    const bool separator = character == '-' || character == '_' || character == '.';
    if (!separator) {
      result += static_cast<char>(std::tolower(static_cast<unsigned char>(character)));
    } else if (!result.ends_with('_')) {
      result += '_';
    }
  }
  return result;
}

std::optional<std::filesystem::path> find_wheel(const std::filesystem::path& folder, const std::string& name,
                                                const std::string& version) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string file = entry.path().filename().string();
    const std::size_t dash = file.find('-');
    if (entry.path().extension() == ".whl" && dash != std::string::npos &&
        normalized(file.substr(0, dash)) == normalized(name) && file.substr(dash + 1).starts_with(version + "-")) {
      return entry.path();
    }
  }
  return std::nullopt;
}

void check_hash(const std::filesystem::path& wheel, const std::string& expected) {
  const std::string actual = sha256_file(wheel);
  if (actual == expected) return;
  throw Error(
      fmt::format("{}: wrong SHA-256: expected {}, actual {}; the file is damaged or not the published one, "
                  "replace it or delete it",
                  wheel.string(), expected, actual));
}

/// Lets pip put the wheel into `folder`.
std::filesystem::path download(const std::string& name, const std::string& version, const std::string& sha256,
                               const std::filesystem::path& folder) {
  const std::filesystem::path requirements = folder / "requirements.txt";
  OutputFile file(requirements);
  file.write(fmt::format("{}=={} --hash=sha256:{}\n", name, version, sha256));
  file.close();

  const std::vector<std::string> arguments{"download",
                                           "--no-deps",
                                           "--only-binary=:all:",
                                           "--require-hashes",
                                           "--no-input",
                                           "--disable-pip-version-check",
                                           "--dest",
                                           folder.string(),
                                           "--requirement",
                                           requirements.string()};
  const std::string manual =
      fmt::format("or put the wheel of {} {} into a folder and name that folder in {}", name, version, folder_variable);
  for (std::vector<std::string> command : {std::vector<std::string>{"python3", "-m", "pip"}, {"pip3"}, {"pip"}}) {
    command.insert(command.end(), arguments.begin(), arguments.end());
    const CommandResult result = run_command(command);
    stop_if_interrupted();  // which pip was too
    if (!result.started || result.output.find("No module named pip") != std::string::npos) continue;
    if (result.status != 0) {
      throw Error(fmt::format("{} {}: pip could not download it; mend what it says below, {}\n{}", name, version,
                              manual, result.output));
    }
    const auto wheel = find_wheel(folder, name, version);
    if (!wheel) throw Error(fmt::format("{} {}: pip ran but brought no wheel of it; {}", name, version, manual));
    return *wheel;
  }
  throw Error(fmt::format("{} {}: needed, but there is no pip to download it; install pip (Debian: python3-pip), {}",
                          name, version, manual));
}

}  // namespace

void fetch_package(const std::string& name, const std::string& version, const std::string& sha256,
                   const std::filesystem::path& folder) {
  const std::filesystem::path into = folder.has_filename() ? folder : folder.parent_path();  // no slash at the end
  const std::string stamp = fmt::format("{} {} {}\n", name, version, sha256);
  const auto in_place = [&] {
    return std::filesystem::exists(into / stamp_name) && read_text(into / stamp_name) == stamp;
  };
  if (in_place()) return;
  if (std::filesystem::exists(into) && !std::filesystem::exists(into / stamp_name) &&
      !(std::filesystem::is_directory(into) && std::filesystem::is_empty(into))) {
    throw Error(fmt::format("{}: is in the way of the content of {} {}, and was not put there by this program; move it",
                            into.string(), name, version));
  }

  // Everything happens in one temporary folder beside the target, which vanishes whatever fails.
  PendingPath pending(into);
  const std::filesystem::path& content = pending.path();
  PendingPath downloads(into.parent_path() / (into.filename().string() + ".download"));
  create_folder(content);

  std::optional<std::filesystem::path> wheel;
  if (const char* local = std::getenv(folder_variable); local != nullptr && *local != '\0') {
    if (!std::filesystem::is_directory(local)) {
      throw Error(
          fmt::format("{}: the folder that {} names does not exist; correct or unset it", local, folder_variable));
    }
    wheel = find_wheel(local, name, version);
  }
  if (!wheel) {
    create_folder(downloads.path());
    wheel = download(name, version, sha256, downloads.path());
  }
  check_hash(*wheel, sha256);
  unzip(*wheel, content, largest_content);
  write_atomically(content / stamp_name, stamp);

  if (std::filesystem::exists(into) && !in_place()) std::filesystem::remove_all(into);
  std::error_code error;
  std::filesystem::rename(content, into, error);
  if (error && !in_place()) throw_write_error(into, error.value());  // in place: another process was faster
}

}  // namespace blip3u
