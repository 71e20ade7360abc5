// The parts that a PNG file is made of (PNG specification, section 5).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "io/big_endian.h"

namespace blip3u {

inline constexpr std::string_view png_signature("\x89PNG\r\n\x1a\n", 8);

struct PngChunk {
  std::string_view type, content;
  std::string_view summed;     ///< what the checksum is of: both
  std::uint32_t checksum = 0;  ///< as the file states it
};

/// Takes the chunk at `place`, the first of which stands behind the signature, and moves on; nothing if not all of it
/// is there.
inline std::optional<PngChunk> take_chunk(std::string_view png, std::size_t& place) {
  constexpr std::size_t around = 12;  // length, type and checksum
  if (png.size() - place < around) return std::nullopt;
  const std::size_t length = big_endian(png, place);
  if (png.size() - place - around < length) return std::nullopt;
  const PngChunk chunk{.type = png.substr(place + 4, 4),
                       .content = png.substr(place + 8, length),
                       .summed = png.substr(place + 4, 4 + length),
                       .checksum = big_endian(png, place + 8 + length)};
  place += around + length;
  return chunk;
}

}  // namespace blip3u
