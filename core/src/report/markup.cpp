#include "report/markup.h"

namespace blip3u {

std::string escape_markup(std::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  for (const char character : text) {
    switch (character) {
      case '&': safe += "&amp;"; break;
      case '<': safe += "&lt;"; break;
      case '>': safe += "&gt;"; break;
      case '"': safe += "&quot;"; break;
      case '\'': safe += "&#39;"; break;
      case '\t':
      case '\n':
      case '\r': safe += character; break;
      default:
        if (static_cast<unsigned char>(character) < 0x20) {
          safe += "\uFFFD";
        } else {
          safe += character;
        }
    }
  }
  return safe;
}

}  // namespace blip3u
