#include "model/unknown_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "components.h"

namespace blip3u::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::unique_ptr<Tokenizer> words() {
  auto tokenizer = make<Tokenizer>(Kind::tokenizer, "words");
  dynamic_cast<LearnsVocabulary&>(*tokenizer).fit({"a red circle, it's well-lit", "caf\xC3\xA9"});
  return tokenizer;
}

TEST(UnknownWords, AreNamedOnceInTheirOrder) {
  const auto tokenizer = words();
  const WordCheck check =
      check_words(*tokenizer, "A shiny RED circle/blob; it's a SHINY shiny caf\xC3\xA9! well-lit, zo\xC3\xAB.");
  EXPECT_THAT(check.unknown, ElementsAre("shiny", "blob", "SHINY", "zo\xC3\xAB"));
  EXPECT_FALSE(check.all);
  EXPECT_THAT(check_words(*tokenizer, "red").unknown, IsEmpty());
  EXPECT_FALSE(check_words(*tokenizer, "red").all);
}

TEST(UnknownWords, MayBeAllThereAre) {
  const auto tokenizer = words();
  for (const char* text : {"", "  ", "?!", "blob", "blob, blob"})
    EXPECT_TRUE(check_words(*tokenizer, text).all) << text;
}

TEST(UnknownWords, EachCharacterOfAScriptWithoutBlanksCounts) {
  const auto tokenizer = make<Tokenizer>(Kind::tokenizer, "words");
  dynamic_cast<LearnsVocabulary&>(*tokenizer).fit({"\u7EA2\u8272\u7684\u5706"});
  EXPECT_THAT(check_words(*tokenizer, "\u7EA2\u5706\u3002").unknown, IsEmpty());
  const WordCheck check = check_words(*tokenizer, "\u84DD\u5706");
  EXPECT_THAT(check.unknown, ElementsAre("\u84DD\u5706"));
  EXPECT_FALSE(check.all);
  EXPECT_TRUE(check_words(*tokenizer, "\u84DD").all);
}

/// Spells every text, as byte-level vocabularies do.
class Bytes final : public Tokenizer {
 public:
  std::string serialize() const override { return {}; }
  void restore(const std::string&) override {}
  std::int64_t vocabulary() const override { return 256 + 3; }
  std::vector<std::int64_t> encode(std::string_view text) const override {
    std::vector<std::int64_t> ids;
    for (const char byte : text) ids.push_back(3 + static_cast<unsigned char>(byte));
    return ids;
  }
  std::string decode(const std::vector<std::int64_t>&) const override { return {}; }
};

TEST(UnknownWords, NoneWhereEveryWordIsSpelled) {
  const WordCheck check = check_words(Bytes(), "blob zo\xC3\xAB");
  EXPECT_THAT(check.unknown, IsEmpty());
  EXPECT_FALSE(check.all);
}

}  // namespace
}  // namespace blip3u::testing
