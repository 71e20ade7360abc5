#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "blip3u/tokenizer.h"

namespace blip3u {
namespace {

using ::testing::ElementsAre;

/// One id a character; "image" is 9.
class Letters final : public Tokenizer {
 public:
  std::string serialize() const override { return {}; }
  void restore(const std::string&) override {}
  std::int64_t vocabulary() const override { return 128; }
  std::vector<std::int64_t> encode(std::string_view text) const override { return {text.begin(), text.end()}; }
  std::string decode(const std::vector<std::int64_t>& ids) const override { return {ids.begin(), ids.end()}; }
  std::int64_t id_of(std::string_view control) const override { return control == "image" ? 9 : -1; }
};

TEST(Render, AQuestionAboutAPictureIsFramedAndItsAnswerIsLearned) {
  const std::vector<Message> messages{{Role::user, {image_part(0), text_part("ab")}},
                                      {Role::assistant, {text_part("c", 2)}}};
  const auto spans = Letters().render(messages, false);
  ASSERT_EQ(spans.size(), 4u);
  EXPECT_EQ(spans[0].image, 0);
  EXPECT_THAT(spans[1].ids, ElementsAre(1, 'a', 'b', 2));
  EXPECT_EQ(spans[1].weight, 0);
  EXPECT_THAT(spans[2].ids, ElementsAre('c'));
  EXPECT_EQ(spans[2].weight, 2);
  EXPECT_THAT(spans[3].ids, ElementsAre(2));
  EXPECT_EQ(spans[3].weight, 2);
}

TEST(Render, AnOpenReplyIsNotClosed) {
  const std::vector<Message> messages{{Role::user, {text_part("a")}}, {Role::assistant, {text_part("bc")}}};
  EXPECT_THAT(Letters().render(messages, true).back().ids, ElementsAre('b', 'c'));
  EXPECT_THAT(Letters().render(messages, false).back().ids, ElementsAre(2));
  const std::vector<Message> asked{{Role::user, {text_part("a")}}, {Role::assistant, {}}};
  EXPECT_THAT(Letters().render(asked, true).back().ids, ElementsAre(1, 'a', 2));
}

TEST(Render, APictureThatIsMadeIsAnnouncedAndTheMessageClosed) {
  const std::vector<Message> messages{{Role::user, {text_part("a"), image_part(0)}},
                                      {Role::assistant, {text_part("b", 1), image_part(1, 0.5F)}}};
  const auto spans = Letters().render(messages, false);
  ASSERT_EQ(spans.size(), 6u);
  EXPECT_EQ(spans[1].image, 0);  // what is shown is not
  EXPECT_THAT(spans[3].ids, ElementsAre(9));
  EXPECT_EQ(spans[3].weight, 0.5F);
  EXPECT_EQ(spans[4].image, 1);
  EXPECT_EQ(spans[4].weight, 0.5F);
  EXPECT_THAT(spans[5].ids, ElementsAre(2));
  EXPECT_EQ(spans[5].weight, 0.5F);
}

}  // namespace
}  // namespace blip3u
