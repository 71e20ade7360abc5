#include "image_folder/text.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "blip3u/utf8.h"
#include "io/files.h"

namespace blip3u::image_folder {

namespace {

void append_utf8(std::uint32_t character, std::string& text) {
  const auto add = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (character < 0x80) return add(character);
  if (character < 0x800) {
    add(0xC0 | character >> 6);
  } else if (character < 0x10000) {
    add(0xE0 | character >> 12);
    add(0x80 | (character >> 6 & 0x3F));
  } else {
    add(0xF0 | character >> 18);
    add(0x80 | (character >> 12 & 0x3F));
    add(0x80 | (character >> 6 & 0x3F));
  }
  add(0x80 | (character & 0x3F));
}

/// Nothing if it is not UTF-16 (RFC 2781).
std::optional<std::string> from_utf16(std::string_view bytes, bool little) {
  if (bytes.size() % 2 != 0) return std::nullopt;
  const auto unit = [&](std::size_t at) -> std::uint32_t {
    const auto first = static_cast<unsigned char>(bytes[at]), second = static_cast<unsigned char>(bytes[at + 1]);
    return little ? second << 8U | first : first << 8U | second;
  };
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 2) {
    std::uint32_t character = unit(at);
    if (character >= 0xDC00 && character < 0xE000) return std::nullopt;
    if (character >= 0xD800 && character < 0xDC00) {
      at += 2;
      if (at == bytes.size() || unit(at) < 0xDC00 || unit(at) >= 0xE000) return std::nullopt;
      character = 0x10000 + ((character - 0xD800) << 10) + (unit(at) - 0xDC00);
    }
    append_utf8(character, text);
  }
  return text;
}

[[noreturn]] void refuse(const std::filesystem::path& file, std::string_view bytes, std::size_t place) {
  const auto line = std::count(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(place), '\n') + 1;
  if (bytes[place] == '\0') {
    throw Unreadable(
        fmt::format("{}:{}: holds a NUL, so it is UTF-16 without a byte order mark, or no "
                    "text; save it as UTF-8",
                    file.string(), line));
  }
  throw Unreadable(
      fmt::format("{}:{}: is not UTF-8 (byte 0x{:02X}), but perhaps Latin-1; convert it: iconv -f "
                  "LATIN1 -t UTF-8",
                  file.string(), line, static_cast<unsigned char>(bytes[place])));
}

}  // namespace

std::string read_utf8(const std::filesystem::path& file) {
  std::string bytes = read_text(file);
  if (bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF")) {
    auto text = from_utf16(std::string_view(bytes).substr(2), bytes.starts_with("\xFF\xFE"));
    if (!text) {
      throw Unreadable(fmt::format("{}: begins as UTF-16 does, and is none; save it as UTF-8", file.string()));
    }
    bytes = std::move(*text);
  } else if (bytes.starts_with("\xEF\xBB\xBF")) {
    bytes.erase(0, 3);
  }
  if (const std::size_t place = first_not_utf8(bytes); place != std::string::npos) refuse(file, bytes, place);
  return bytes;
}

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (std::string line = trimmed(text.substr(0, end)); !line.empty()) lines.push_back(std::move(line));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace blip3u::image_folder
