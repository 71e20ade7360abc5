#include "io/png_text.h"

#include <png.h>

#include <ATen/ops/linspace.h>

#include "blip3u/image.h"
#include "support.h"

namespace blip3u {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

const std::vector<PngText> texts = {{"Software", "BLIP3-U"},
                                    {"blip3u.prompt", "it's \"red\"\nand more"},
                                    {"blip3u.other", "caf\xC3\xA9, \xE8\xB5\xA4, \xF0\x9F\x94\xB4"},
                                    {"blip3u.empty", ""}};

Tensor picture() { return at::linspace(-1, 1, 3 * 8 * 5).view({3, 8, 5}); }

std::string chunk(const std::string& type, const std::string& content) {
  return big_endian(static_cast<std::uint32_t>(content.size())) + type + content + big_endian(crc32(type + content));
}

/// A picture with more chunks before its end.
std::string with_chunks(const std::string& chunks) {
  std::string png = encode_png(picture());
  return png.insert(png.size() - 12, chunks);
}

/// The texts as libpng's own reader finds them, which also says whether the file is sound.
std::vector<PngText> read_by_libpng(std::string bytes) {
  png_structp png = png_create_read_struct(
      PNG_LIBPNG_VER_STRING, nullptr, [](png_structp, png_const_charp message) { throw Error(message); },
      [](png_structp, png_const_charp message) { throw Error(message); });
  png_infop info = png_create_info_struct(png);
  png_set_read_fn(png, &bytes, [](png_structp reader, png_bytep to, std::size_t count) {
    auto& rest = *static_cast<std::string*>(png_get_io_ptr(reader));
    if (rest.size() < count) throw Error("the end is missing");
    rest.copy(reinterpret_cast<char*>(to), count);
    rest.erase(0, count);
  });
  png_read_png(png, info, PNG_TRANSFORM_IDENTITY, nullptr);
  png_textp found = nullptr;
  int count = 0;
  png_get_text(png, info, &found, &count);
  std::vector<PngText> result;
  for (int i = 0; i < count; ++i) {
    const bool utf8 = found[i].compression == PNG_ITXT_COMPRESSION_NONE;
    EXPECT_EQ(utf8, std::string(found[i].text).find('\xC3') != std::string::npos) << found[i].key;
    result.push_back({found[i].key, found[i].text});
  }
  png_destroy_read_struct(&png, &info, nullptr);
  return result;
}

TEST(PngText, OtherReadersFindTextsAndPicture) {
  const std::string png = with_texts(encode_png(picture()), texts);
  EXPECT_EQ(read_by_libpng(png), texts);
  EXPECT_TRUE(decode_image(png, "x").equal(decode_image(encode_png(picture()), "x")));
  EXPECT_EQ(texts_of(png, "x"), texts);
  EXPECT_THAT(texts_of(encode_png(picture()), "x"), IsEmpty());
}

TEST(PngText, WhatOthersWroteIsReadWhereverItStands) {
  using namespace std::string_literals;
  EXPECT_THAT(texts_of(with_chunks(chunk("tEXt", "Author\0Ren\xE9"s) + chunk("iTXt",
                                                                             "Title\0\0\0de\0Titel\0\xC3\xBC"
                                                                             "ber"s)),
                       "x"),
              ElementsAre(PngText{"Author", "Ren\xC3\xA9"}, PngText{"Title",
                                                                    "\xC3\xBC"
                                                                    "ber"}));
  // Compressed, without the end of a keyword, cut off in what precedes a text, no UTF-8, NUL within.
  for (const std::string& strange :
       {chunk("iTXt", "Title\0\1\0\0\0x"s), chunk("zTXt", "Title\0\0x"s), chunk("tEXt", "Title"), chunk("tEXt", ""),
        chunk("iTXt", "Title\0"s), chunk("iTXt", "Title\0\0\0en"s), chunk("iTXt", "Title\0\0\0\0\0\xFF"s),
        chunk("tEXt", "Title\0a\0b"s)}) {
    EXPECT_THAT(texts_of(with_chunks(strange), "x"), IsEmpty()) << strange;
  }
}

TEST(PngText, LimitsHold) {
  using namespace std::string_literals;
  const std::string longest(longest_png_text, 'x');
  EXPECT_EQ(texts_of(with_texts(encode_png(picture()), {{"k", longest}}), "x").at(0).text, longest);
  EXPECT_THAT(message_of([&] {
                with_texts(encode_png(picture()), {{"k", longest + "x"}});
              }),
              HasSubstr("the text `k` of a picture has 1048577 bytes; shorten it"));
  EXPECT_THAT(texts_of(with_chunks(chunk("tEXt", "k\0"s + longest + longest)), "x"), IsEmpty());
  std::string many;
  for (int i = 0; i < 1000; ++i) many += chunk("tEXt", "k\0v"s);
  EXPECT_EQ(texts_of(with_chunks(many), "x").size(), 100U);
  for (const std::string& bad : {"a\xFF"s, "a\0"s}) {
    EXPECT_THAT(message_of([&] {
                  with_texts(encode_png(picture()), {{"k", bad}});
                }),
                HasSubstr("is not UTF-8 from byte 2 on"));
  }
}

TEST(PngText, DamagedFilesAreErrors) {
  const std::string whole = with_texts(encode_png(picture()), texts);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const std::string message = message_of([&] { texts_of(std::string_view(whole).substr(0, length), "cut.png"); });
    EXPECT_THAT(message, AllOf(StartsWith("cut.png: "), HasSubstr("; "))) << length;
  }
  for (std::size_t place = 0; place < whole.size(); ++place) {
    std::string altered = whole;
    altered[place] = static_cast<char>(altered[place] ^ 0x55);
    std::vector<PngText> read;
    const std::string message = message_of([&] { read = texts_of(altered, "x"); });  // nothing else is thrown
    for (const PngText& text : read) EXPECT_THAT(texts, ::testing::Contains(text)) << place;
  }
  EXPECT_THAT(message_of([] { texts_of("GIF89a", "a.gif"); }), HasSubstr("a.gif: not a PNG"));
}

}  // namespace
}  // namespace blip3u
