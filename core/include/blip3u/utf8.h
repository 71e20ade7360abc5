// The encoding of all text: captions, questions, recipes.
#pragma once

#include <cstddef>
#include <string_view>

#include "blip3u/export.h"

namespace blip3u {

/// Whether the byte is the first, or only, one of a character.
inline bool begins_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

/// The offset of the first byte that begins no character of UTF-8 (RFC 3629), or of a NUL; npos if all is text.
BLIP3U_API std::size_t first_not_utf8(std::string_view bytes);

}  // namespace blip3u
