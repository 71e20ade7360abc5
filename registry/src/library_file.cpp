// What a file tells before it is opened as a library. Opening runs code, and a truncated file that is mapped into
// memory ends the process with SIGBUS, so all of this is read, not loaded.
#include <elf.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "registry/load.h"

namespace blip3u {
namespace {

constexpr std::string_view stamp_prefix = "blip3u-build-stamp:";
constexpr const char* copy_again = "build it or copy it again";

[[noreturn]] void reject(const std::filesystem::path& file, const std::string& reason, const std::string& mend) {
  throw Error(Fault::plugin, fmt::format("{}: {}; {}", file.string(), reason, mend));
}

std::string read_regular_file(const std::filesystem::path& file) {
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    reject(file, "no such file", "check its name, and that the plugin was built");
  }
  if (status.type() == std::filesystem::file_type::directory) {
    reject(file, "is a folder, not a plugin library", "move it out of the plugin folder");
  }
  if (status.type() != std::filesystem::file_type::regular) {
    reject(file, error ? "cannot be read (" + error.message() + ")" : "is not a regular file",
           "put the plugin library in its place");
  }
  std::ifstream stream(file, std::ios::binary);
  if (!stream) reject(file, fmt::format("cannot be read ({})", std::strerror(errno)), "make it readable");
  return {std::istreambuf_iterator<char>(stream), {}};
}

#if defined(__x86_64__)
constexpr Elf64_Half this_machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr Elf64_Half this_machine = EM_AARCH64;
#else
#error "name this machine's kind as in <elf.h>"
#endif

/// The size that the ELF headers promise, 0 if the headers themselves are not all there.
std::uint64_t promised_size(const std::string& bytes, const Elf64_Ehdr& header) {
  if (header.e_phoff > bytes.size()) return 0;
  const std::uint64_t table = header.e_phoff + std::uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
  if (table > bytes.size()) return 0;
  std::uint64_t size = std::max(table, header.e_shoff + std::uint64_t{header.e_shnum} * header.e_shentsize);
  for (std::uint64_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment, bytes.data() + header.e_phoff + i * sizeof segment, sizeof segment);
    if (segment.p_type == PT_LOAD) size = std::max(size, segment.p_offset + segment.p_filesz);
  }
  return size;
}

void check_shared_library(const std::filesystem::path& file, const std::string& bytes) {
  if (bytes.empty()) reject(file, "is empty", copy_again);
  if (!bytes.starts_with(ELFMAG)) reject(file, "is not a shared library", "put the built plugin in its place");
  Elf64_Ehdr header;
  if (bytes.size() < sizeof header) reject(file, fmt::format("is truncated after {} bytes", bytes.size()), copy_again);
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_type != ET_DYN || header.e_machine != this_machine) {
    reject(file, "is not a shared library of this machine's kind", "build it here as a 64-bit shared library");
  }
  const std::uint64_t promised = promised_size(bytes, header);
  if (promised == 0 || promised > bytes.size()) {
    reject(file,
           promised == 0 ? fmt::format("is truncated after {} bytes", bytes.size())
                         : fmt::format("is truncated: {} of {} bytes", bytes.size(), promised),
           copy_again);
  }
}

}  // namespace

void check_library_file(const std::filesystem::path& file) {
  const std::string bytes = read_regular_file(file);
  check_shared_library(file, bytes);

  const auto found = bytes.find(stamp_prefix);
  if (found == std::string::npos) {
    const std::string entry = std::string(1, '\0') + plugin_entry_symbol + '\0';  // as the symbol table spells it
    if (bytes.find(entry) == std::string::npos) {
      reject(file, fmt::format("is a shared library but not a plugin (it has no entry symbol {})", plugin_entry_symbol),
             "export one with BLIP3U_PLUGIN, or move the file out of the plugin folder");
    }
    reject(file, "has no build stamp", "export the plugin with BLIP3U_PLUGIN, which places one");
  }
  const std::string stamp = bytes.c_str() + found + stamp_prefix.size();  // ends at its NUL
  if (stamp != BLIP3U_BUILD_STAMP) {
    reject(file, fmt::format("was built for \"{}\", but this program is \"{}\"", stamp, BLIP3U_BUILD_STAMP),
           "rebuild the plugin against this toolkit");
  }
}

}  // namespace blip3u
