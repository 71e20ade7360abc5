#include "blip3u/utf8.h"

namespace blip3u {

std::size_t first_not_utf8(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  for (std::size_t i = 0; i < bytes.size();) {
    const unsigned char lead = byte(i);
    const std::size_t length = lead < 0x80                   ? 1
                               : lead >= 0xC2 && lead < 0xE0 ? 2
                               : (lead & 0xF0) == 0xE0       ? 3
                               : lead >= 0xF0 && lead < 0xF5 ? 4
                                                             : 0;
    if (lead == 0 || length == 0 || i + length > bytes.size()) return i;
    for (std::size_t k = 1; k < length; ++k) {
      // After these four, not all second bytes: the others would be longer than needed, surrogates or past U+10FFFF.
      const bool second = k == 1;
      const unsigned char lowest = second && lead == 0xE0 ? 0xA0 : second && lead == 0xF0 ? 0x90 : 0x80;
      const unsigned char highest = second && lead == 0xED ? 0x9F : second && lead == 0xF4 ? 0x8F : 0xBF;
      if (byte(i + k) < lowest || byte(i + k) > highest) return i;
    }
    i += length;
  }
  return std::string_view::npos;
}

}  // namespace blip3u
