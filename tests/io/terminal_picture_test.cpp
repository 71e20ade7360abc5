#include "io/terminal_picture.h"

#include <openssl/evp.h>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <map>
#include <string>
#include <vector>

#include "blip3u/image.h"

namespace blip3u {
namespace {

Graphics graphics_in(std::map<std::string, std::string> environment) {
  return graphics_of([&](const char* name) { return environment[name]; });
}

TEST(TerminalPicture, IsForTerminalsThatCan) {
  EXPECT_EQ(graphics_in({}), Graphics::none);
  EXPECT_EQ(graphics_in({{"TERM", "xterm-256color"}}), Graphics::none);
  EXPECT_EQ(graphics_in({{"TERM", "xterm-kitty"}}), Graphics::kitty);
  EXPECT_EQ(graphics_in({{"TERM", "xterm-256color"}, {"KITTY_WINDOW_ID", "1"}}), Graphics::kitty);
  EXPECT_EQ(graphics_in({{"TERM_PROGRAM", "ghostty"}}), Graphics::kitty);
  EXPECT_EQ(graphics_in({{"TERM_PROGRAM", "WezTerm"}}), Graphics::sixel);
  EXPECT_EQ(graphics_in({{"TERM", "foot-extra"}}), Graphics::sixel);
  EXPECT_EQ(graphics_in({{"TERM", "tmux-256color"}, {"KITTY_WINDOW_ID", "1"}}), Graphics::none);
  EXPECT_EQ(graphics_in({{"TERM", "xterm-kitty"}, {"TMUX", "/tmp/x"}}), Graphics::none);
  EXPECT_EQ(terminal_picture(Graphics::none, at::zeros({3, 4, 4})), "");
}

TEST(TerminalPicture, KittyGetsTheEnlargedPngInPieces) {
  const Tensor image = at::rand({3, 32, 20}).mul(2).sub(1);
  std::string rest = terminal_picture(Graphics::kitty, image), content;
  for (int piece = 0; !rest.empty(); ++piece) {
    const std::size_t begin = rest.find(';'), end = rest.find("\x1b\\");
    ASSERT_NE(end, std::string::npos);
    const bool last = end + 2 == rest.size();
    EXPECT_EQ(rest.substr(0, begin), std::string("\x1b_G") + (piece == 0 ? "a=T,f=100," : "") + (last ? "m=0" : "m=1"));
    EXPECT_LE(end - begin - 1, 4096U);
    content += rest.substr(begin + 1, end - begin - 1);
    rest.erase(0, end + 2);
  }
  std::string png(content.size(), '\0');
  const int length =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(png.data()),
                      reinterpret_cast<const unsigned char*>(content.data()), static_cast<int>(content.size()));
  ASSERT_GT(length, 0);
  const Tensor shown = decode_image(png, "shown");
  EXPECT_EQ(shown.sizes(), (at::IntArrayRef{3, 256, 160}));
  EXPECT_TRUE(to_bytes(shown).equal(to_bytes(image).repeat_interleave(8, 1).repeat_interleave(8, 2)));
}

/// What a terminal shows of a sixel picture, in [-1,1]; 9 where nothing was drawn.
Tensor shown_by_sixel(const std::string& text) {
  std::size_t at = 0;
  const auto expect = [&](const std::string& part) {
    EXPECT_EQ(text.substr(at, part.size()), part);
    at += part.size();
  };
  const auto number = [&] {
    std::int64_t value = 0;
    while (std::isdigit(text[at])) value = value * 10 + (text[at++] - '0');
    return value;
  };
  const auto next = [&] { return ++at, number(); };
  expect("\x1bP0;1q\"1;1");
  const std::int64_t width = next(), height = next();
  Tensor image = at::full({3, height, width}, 9.0);
  std::map<std::int64_t, std::vector<double>> palette;
  std::int64_t colour = -1, x = 0, top = 0;
  while (text[at] != '\x1b') {
    const char here = text[at];
    if (here == '#') {
      colour = next();
      if (text[at] == ';') {
        EXPECT_EQ(next(), 2) << "red, green and blue";
        for (int i = 0; i < 3; ++i) palette[colour].push_back(static_cast<double>(next()) / 50 - 1);
      }
      continue;
    }
    const std::int64_t count = here == '!' ? next() : 1;
    const char drawn = text[at++];
    if (drawn == '$') x = 0;
    if (drawn == '-') x = 0, top += 6;
    if (drawn < '?') continue;
    for (std::int64_t i = 0; i < count; ++i, ++x) {
      for (int bit = 0; bit < 6; ++bit) {
        if (((drawn - '?') >> bit & 1) == 0) continue;
        for (int channel = 0; channel < 3; ++channel) {
          image[channel][top + bit][x] = palette.at(colour).at(static_cast<std::size_t>(channel));
        }
      }
    }
  }
  expect("\x1b\\");
  EXPECT_EQ(at, text.size());
  return image;
}

TEST(TerminalPicture, SixelShowsEveryPixelInTheNearestOfItsColours) {
  const Tensor image = at::rand({3, 37, 130}).mul(2).sub(1);
  const Tensor shown = shown_by_sixel(terminal_picture(Graphics::sixel, image));
  ASSERT_EQ(shown.sizes(), image.sizes()) << "large enough as it is";
  EXPECT_LT((shown - image).abs().max().item<double>(), 0.2 + 0.01) << "half the distance of two levels";
  EXPECT_EQ(shown_by_sixel(terminal_picture(Graphics::sixel, at::ones({3, 32, 32}))).min().item<double>(), 1);
}

}  // namespace
}  // namespace blip3u
