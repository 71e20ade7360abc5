#include "io/say.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

namespace blip3u {

void say(std::string_view text) { std::fputs((std::string(text) + '\n').c_str(), stderr); }

std::string line_by_line(const std::vector<std::string>& lines) {
  constexpr std::size_t most = 20;
  std::string text;
  for (std::size_t i = 0; i < std::min(lines.size(), most); ++i) text += "\n  " + lines[i];
  if (lines.size() > most) text += fmt::format("\n  and {} more", lines.size() - most);
  return text;
}

}  // namespace blip3u
