#include "io/terminal_picture.h"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "blip3u/image.h"
#include "io/base64.h"

namespace blip3u {

namespace {

constexpr std::int64_t shown_side = 256;
constexpr std::size_t kitty_piece = 4096;  // the protocol's limit
constexpr std::int64_t levels = 6, band = 6;

Tensor enlarged(const Tensor& image) {
  const std::int64_t factor = std::max<std::int64_t>(1, shown_side / std::max(image.size(1), image.size(2)));
  return image.repeat_interleave(factor, 1).repeat_interleave(factor, 2);
}

std::string kitty(const Tensor& image) {
  const std::string content = base64(encode_png(image));
  std::string text;
  for (std::size_t place = 0; place < content.size(); place += kitty_piece) {
    text += fmt::format("\x1b_G{}m={};{}\x1b\\", place == 0 ? "a=T,f=100," : "",
                        place + kitty_piece < content.size() ? 1 : 0, content.substr(place, kitty_piece));
  }
  return text;
}

void add_run(std::string& text, char sixel, std::int64_t count) {
  if (count > 3) text += fmt::format("!{}{}", count, sixel);
  if (count <= 3) text.append(static_cast<std::size_t>(count), sixel);
}

std::string sixel(const Tensor& image) {
  const std::int64_t height = image.size(1), width = image.size(2);
  const Tensor level = to_bytes(image).to(at::kLong).mul(levels - 1).add(127).floor_divide(255);
  const Tensor colours = (level[0] * levels + level[1]).mul(levels).add(level[2]).contiguous();
  const auto* const colour = colours.const_data_ptr<std::int64_t>();
  std::string text = fmt::format("\x1bP0;1q\"1;1;{};{}", width, height);
  for (std::int64_t i = 0; i < levels * levels * levels; ++i) {
    const std::int64_t percent = 100 / (levels - 1);
    text += fmt::format("#{};2;{};{};{}", i, i / (levels * levels) * percent, i / levels % levels * percent,
                        i % levels * percent);
  }
  for (std::int64_t top = 0; top < height; top += band) {
    const std::int64_t rows = std::min(band, height - top);
    std::vector<std::int64_t> used(colour + top * width, colour + (top + rows) * width);
    std::ranges::sort(used);
    used.erase(std::unique(used.begin(), used.end()), used.end());
    for (const std::int64_t drawn : used) {
      text += fmt::format("#{}", drawn);
      char last = 0;
      std::int64_t count = 0;
      for (std::int64_t x = 0; x < width; ++x) {
        int bits = 0;
        for (std::int64_t y = 0; y < rows; ++y) bits |= (colour[(top + y) * width + x] == drawn ? 1 : 0) << y;
        const char here = static_cast<char>('?' + bits);
        if (here != last) {
          add_run(text, last, count);
          count = 0;
        }
        last = here;
        ++count;
      }
      add_run(text, last, count);
      text += '$';
    }
    text += '-';
  }
  return text + "\x1b\\";
}

}  // namespace

Graphics graphics_of(const std::function<std::string(const char*)>& variable) {
  const std::string term = variable("TERM"), program = variable("TERM_PROGRAM");
  const auto is_one_of = [](const std::string& name, std::initializer_list<std::string_view> names) {
    return std::ranges::find(names, name) != names.end();
  };
  if (!variable("TMUX").empty() || term.starts_with("tmux") || term.starts_with("screen")) return Graphics::none;
  if (!variable("KITTY_WINDOW_ID").empty() || is_one_of(term, {"xterm-kitty", "xterm-ghostty"}) ||
      program == "ghostty") {
    return Graphics::kitty;
  }
  const bool sixel = is_one_of(program, {"WezTerm", "iTerm.app", "mintty"}) || term.starts_with("foot") ||
                     term.starts_with("mlterm") || term.starts_with("contour");
  return sixel ? Graphics::sixel : Graphics::none;
}

std::string terminal_picture(Graphics graphics, const Tensor& image) {
  if (graphics == Graphics::none) return {};
  return graphics == Graphics::kitty ? kitty(enlarged(image)) : sixel(enlarged(image));
}

}  // namespace blip3u
