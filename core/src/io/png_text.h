// Texts inside PNG files, which tell where a picture comes from.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "blip3u/export.h"

namespace blip3u {

struct PngText {
  std::string keyword;  ///< 1 to 79 printable characters of ASCII
  std::string text;     ///< UTF-8
  bool operator==(const PngText&) const = default;
};

/// A text that is longer is neither written nor read.
inline constexpr std::size_t longest_png_text = std::size_t{1} << 20;

/// A PNG, as encode_png makes it, with texts before its pixels: as tEXt what is Latin-1 (here: ASCII, which is the same
/// in every encoding), as iTXt all else. Throws Error for a text that is too long or not UTF-8.
BLIP3U_API std::string with_texts(std::string_view png, const std::vector<PngText>& texts);

/// The texts of a PNG in their order, but for compressed and overlong ones and all after the first hundred; its pixels
/// are not looked at. Throws Error that calls the file `name` if it is no PNG, is cut off, or a text is damaged.
BLIP3U_API std::vector<PngText> texts_of(std::string_view png, const std::string& name);

}  // namespace blip3u
