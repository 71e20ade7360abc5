#include "io/png_text.h"

#include <zlib.h>

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "blip3u/utf8.h"
#include "io/big_endian.h"
#include "io/picture_formats.h"
#include "io/png_chunks.h"

namespace blip3u {

namespace {

constexpr std::size_t header_end = 8 + 25;  // of IHDR, which is the first chunk and has 13 bytes
constexpr std::size_t most_texts = 100;
constexpr std::size_t longest_chunk = 79 + 5 + longest_png_text;  // a keyword, what iTXt says of its text, and that

std::uint32_t checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<unsigned>(bytes.size())));
}

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char byte) { return static_cast<unsigned char>(byte) < 0x80; });
}

std::string chunk(const PngText& text) {
  const std::string content = is_ascii(text.text) ? "tEXt" + text.keyword + '\0' + text.text
                                                  : "iTXt" + text.keyword + std::string(5, '\0') + text.text;
  return to_big_endian(static_cast<std::uint32_t>(content.size() - 4)) + content + to_big_endian(checksum(content));
}

std::string from_latin1(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    if (value < 0x80) {
      text += byte;
    } else {
      text += static_cast<char>(0xC0 | value >> 6);
      text += static_cast<char>(0x80 | (value & 0x3F));
    }
  }
  return text;
}

/// Takes what stands before the next NUL off `bytes`, and that.
std::optional<std::string> take_field(std::string_view& bytes) {
  const std::size_t end = bytes.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  std::string field(bytes.substr(0, end));
  bytes.remove_prefix(end + 1);
  return field;
}

/// The text of a chunk; nothing if it is compressed or against the standard.
std::optional<PngText> parse(std::string_view type, std::string_view content) {
  const auto keyword = take_field(content);
  if (!keyword) return std::nullopt;
  if (type == "tEXt") {
    if (content.find('\0') != std::string_view::npos) return std::nullopt;
    return PngText{from_latin1(*keyword), from_latin1(content)};
  }
  if (content.size() < 2 || content[0] != 0) return std::nullopt;
  content.remove_prefix(2);  // whether and how it is compressed
  for (int i = 0; i < 2; ++i) {
    if (!take_field(content)) return std::nullopt;  // the language, and the keyword in it
  }
  if (first_not_utf8(content) != std::string_view::npos) return std::nullopt;
  return PngText{from_latin1(*keyword), std::string(content)};
}

}  // namespace

std::string with_texts(std::string_view png, const std::vector<PngText>& texts) {
  std::string result(png.substr(0, header_end));
  for (const PngText& text : texts) {
    const auto refuse = [&](const std::string& reason) {
      throw Error(Fault::usage, fmt::format("the text `{}` of a picture {}", text.keyword, reason));
    };
    if (text.text.size() > longest_png_text) {
      refuse(fmt::format("has {} bytes; shorten it to {}", text.text.size(), longest_png_text));
    }
    if (const std::size_t place = first_not_utf8(text.text); place != std::string::npos) {
      refuse(fmt::format("is not UTF-8 from byte {} on; correct it", place + 1));
    }
    result += chunk(text);
  }
  return result.append(png.substr(header_end));
}

std::vector<PngText> texts_of(std::string_view png, const std::string& name) {
  if (!png.starts_with(png_signature)) {
    throw Error(fmt::format("{}: not a PNG, by its first bytes; only PNG files tell where they come from", name));
  }
  std::vector<PngText> texts;
  for (std::size_t place = png_signature.size();;) {
    const auto chunk = take_chunk(png, place);
    if (!chunk) throw_damaged(name, "PNG", "its end is missing");
    const auto& [type, content, summed, stated] = *chunk;
    if (type == "IEND") return texts;
    if ((type == "tEXt" || type == "iTXt") && content.size() <= longest_chunk && texts.size() < most_texts) {
      if (checksum(summed) != stated) throw_damaged(name, "PNG", "the checksum of a text is wrong");
      if (auto text = parse(type, content)) texts.push_back(std::move(*text));
    }
  }
}

}  // namespace blip3u
