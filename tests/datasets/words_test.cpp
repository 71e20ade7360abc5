#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
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
        "{\"format\":\"blip3u-words\",\"version\":2,\"words\":[\"two words\"]}",
        "{\"format\":\"blip3u-words\",\"version\":2,\"words\":[1]}"}) {
    EXPECT_THAT(message_of([&] { tokenizer->restore(damaged); }), HasSubstr("damaged")) << damaged;
  }
  EXPECT_EQ(tokenizer->vocabulary(), 6);  // still the old one
}

}  // namespace
}  // namespace blip3u
