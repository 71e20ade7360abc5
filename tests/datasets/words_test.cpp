#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "blip3u/tokenizer.h"
#include "components.h"
#include "message_of.h"

namespace blip3u {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t padding = 0, unknown = 3;  // as the vocabulary of this tokenizer begins

std::unique_ptr<Tokenizer> words(const Overrides& changes = {}) {
  return make<Tokenizer>(Kind::tokenizer, "words", changes);
}

TEST(Words, RankByFrequencyThenByName) {
  const auto tokenizer = words();
  dynamic_cast<blip3u::LearnsVocabulary&>(*tokenizer).fit({"blue red", "red green", "a red shape, blue?"});
  EXPECT_EQ(tokenizer->vocabulary(), 5 + 5);
  // red 3 times, blue twice, then a, green, shape
  EXPECT_THAT(tokenizer->encode("red blue a green shape"), ElementsAre(5, 6, 7, 8, 9));
}

TEST(Words, IgnoreCaseAndPunctuation) {
  const auto tokenizer = words();
  dynamic_cast<blip3u::LearnsVocabulary&>(*tokenizer).fit({"is there a circle in the image?"});
  EXPECT_EQ(tokenizer->encode("Is there,a CIRCLE in the image"), tokenizer->encode("is there a circle in the image?"));
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("Is there a circle?")), "is there a circle");
  EXPECT_THAT(tokenizer->encode(" ?! "), ElementsAre());
}

TEST(Words, KeepWordsOfOtherScriptsWhole) {
  const auto tokenizer = words();
  dynamic_cast<blip3u::LearnsVocabulary&>(*tokenizer).fit({"größe don't e-mail"});
  EXPECT_EQ(tokenizer->vocabulary(), 5 + 3);
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("größe")), "größe");
}

/// What the words of a text come back as.
std::string again(const std::string& text) {
  const auto tokenizer = words();
  dynamic_cast<blip3u::LearnsVocabulary&>(*tokenizer).fit({text});
  return tokenizer->decode(tokenizer->encode(text));
}

TEST(Words, AreNormalised) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"GR\u00D6SSE", "gr\u00F6sse"},                              // case beyond ASCII
      {"cafe\u0301 caf\u00E9", "caf\u00E9 caf\u00E9"},             // composed and not
      {"\uFF32\uFF45\uFF44 \uFB01re", "red fire"},                 // full width, ligature
      {"don\u2019t don't", "don't don't"},                         // curled apostrophe
      {"e\u2011mail e\u2010mail e-mail", "e-mail e-mail e-mail"},  // hyphens of print
      {"so\u00ADft\uFEFF", "soft"},                                // not seen
      {"a\u00A0b\u2014c\u201Cd\u201D", "a b c d"},                 // blanks, dashes, quotes
      {"\u041A\u0440\u0430\u0441\u043D\u044B\u0439 \u041A\u0440\u0443\u0433",
       "\u043A\u0440\u0430\u0441\u043D\u044B\u0439 \u043A\u0440\u0443\u0433"},
      {"\u7EA2\u8272\u7684\u5706\u3002", "\u7EA2\u8272\u7684\u5706"},  // Chinese, its full stop a separator
      {"\u7EA2\u8272 circle", "\u7EA2\u8272 circle"},
      {"\u2764\uFE0F love \U0001F469\u200D\U0001F680!", "\u2764\uFE0F love \U0001F469\u200D\U0001F680"},
  };
  for (const auto& [text, expected] : table) EXPECT_EQ(again(text), expected) << text;
}

TEST(Words, AChineseSentenceIsNotOneWord) {
  const auto tokenizer = words();
  dynamic_cast<blip3u::LearnsVocabulary&>(*tokenizer).fit({"\u7EA2\u8272\u7684\u5706", "\u84DD\u8272\u7684\u5706"});
  EXPECT_EQ(tokenizer->vocabulary(), 5 + 5);
  EXPECT_EQ(tokenizer->encode("\u7EA2\u5706").size(), 2U);
  EXPECT_THAT(tokenizer->encode("\u7EA2\u5706"), testing::Not(testing::Contains(unknown)));
}

TEST(Words, BytesThatAreNoTextAreUnknown) {
  const auto tokenizer = words();
  dynamic_cast<blip3u::LearnsVocabulary&>(*tokenizer).fit({"red"});
  EXPECT_THAT(tokenizer->encode("red \xE9 red"), ElementsAre(5, unknown, 5));
}

TEST(Words, OldVocabulariesCanBeRead) {
  const auto tokenizer = words();
  tokenizer->restore("{\"format\":\"blip3u-words\",\"version\":2,\"words\":[\"red\",\"e-mail\"]}");
  EXPECT_THAT(tokenizer->encode("Red e-mail"), ElementsAre(5, 6));
  EXPECT_THAT(message_of([&] {
                tokenizer->restore("{\"format\":\"blip3u-words\",\"version\":2,\"words\":[\"\u7EA2\u8272\"]}");
              }),
              HasSubstr("no longer one word"));
}

TEST(Words, MapTheUnknownAndSkipTheSpecial) {
  const auto tokenizer = words();
  dynamic_cast<blip3u::LearnsVocabulary&>(*tokenizer).fit({"red"});
  EXPECT_THAT(tokenizer->encode("red zebra"), ElementsAre(5, unknown));
  const auto frame = tokenizer->frame();
  EXPECT_EQ(tokenizer->decode({frame.begin, 5, unknown, frame.end, padding}), "red <unknown>");
  EXPECT_THAT(message_of([&] { tokenizer->decode({99}); }), HasSubstr("outside the vocabulary"));
}

TEST(Words, KeepTheMostFrequent) {
  const auto tokenizer = words({{"maximum_words", std::int64_t{1}}});
  dynamic_cast<blip3u::LearnsVocabulary&>(*tokenizer).fit({"a b b"});
  EXPECT_THAT(tokenizer->encode("a b"), ElementsAre(unknown, 5));
}

TEST(Words, ComeBackFromTheirText) {
  const auto tokenizer = words(), restored = words();
  dynamic_cast<blip3u::LearnsVocabulary&>(*tokenizer).fit({"what color is the triangle?", "the größe of it"});
  restored->restore(tokenizer->serialize());
  EXPECT_EQ(restored->serialize(), tokenizer->serialize());
  EXPECT_EQ(restored->encode("the triangle größe"), tokenizer->encode("the triangle größe"));
}

TEST(Words, RefuseDamagedVocabularies) {
  const auto tokenizer = words();
  dynamic_cast<blip3u::LearnsVocabulary&>(*tokenizer).fit({"red"});
  for (const std::string damaged :
       {"", "[]", "{\"format\":\"other\"}", "{\"format\":\"blip3u-words\",\"version\":9,\"words\":[]}",
        "{\"format\":\"blip3u-words\",\"version\":2}",
        "{\"format\":\"blip3u-words\",\"version\":2,\"words\":[\"a\",\"a\"]}",
        "{\"format\":\"blip3u-words\",\"version\":3,\"words\":[\"two words\"]}",
        "{\"format\":\"blip3u-words\",\"version\":2,\"words\":[1]}"}) {
    EXPECT_THAT(message_of([&] { tokenizer->restore(damaged); }), HasSubstr("damaged")) << damaged;
  }
  EXPECT_EQ(tokenizer->vocabulary(), 6);  // still the old one
}

}  // namespace
}  // namespace blip3u
