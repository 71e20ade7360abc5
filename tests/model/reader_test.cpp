#include "model/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugins_language/support.h"

namespace blip3u::testing {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t picture_tokens = 16;

Span words(std::vector<std::int64_t> ids, float weight = 0) { return {std::move(ids), -1, weight}; }
Span picture(std::int64_t image, float weight = 0) { return {{}, image, weight}; }

class ReaderTest : public ::testing::Test {
 protected:
  ReaderTest() : backbone_(small_gpt()), pictures_{Visual{normal({picture_tokens, 6}, 3), {}}} {
    randomize(*backbone_, 3);
  }

  Reading read(Session& session, const std::vector<std::vector<Span>>& rows, const Tensor& before = {},
               Purpose purpose = Purpose::context) {
    return read_spans(*backbone_, at::kCPU, session, rows, pictures_, before, purpose);
  }
  Tensor state_of(const std::vector<Span>& row) { return read(*backbone_->begin(1), {row}).state; }

  const at::NoGradGuard no_grad_;
  std::unique_ptr<Backbone> backbone_;
  SeenPictures pictures_;
};

TEST_F(ReaderTest, OnePassEqualsItsPieces) {
  const std::vector<Span> row{words({1, 5, 2}), picture(0), words({7, 2}), picture(1), words({1, 8, 9, 2})};
  const auto session = backbone_->begin(1);
  Tensor state;
  for (const Span& span : row) state = read(*session, {{span}}, state).state;
  EXPECT_LT(largest_difference(state_of(row), state), 1e-5);
}

TEST_F(ReaderTest, TheBlocksOfAQuestionAreThoseAppendedByHand) {
  const auto session = backbone_->begin(1);
  const Visual first{pictures_[0].x.slice(0, 0, 1), {}};
  session->append(backbone_->embed_visual(first));
  const Tensor hidden = session->append({.embeds = backbone_->embed(at::tensor({1, 5, 6, 2}, at::kLong).unsqueeze(0))});
  EXPECT_LT(largest_difference(state_of({picture(0), words({1, 5, 6, 2})}), hidden.select(1, 3)), 1e-5);
}

TEST_F(ReaderTest, ConversationsOfUnlikeShapeShareABatchWithoutTouchingEachOther) {
  const std::vector<std::vector<Span>> rows{{words({1, 5, 2})},
                                            {picture(0), words({1, 6, 7, 2})},
                                            {words({1, 2}), picture(2), picture(1), words({4})},
                                            {picture(1)}};
  const Tensor together = read(*backbone_->begin(4), rows).state;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_LT(largest_difference(state_of(rows[i])[0], together[static_cast<std::int64_t>(i)]), 1e-5) << i;
  }
}

TEST_F(ReaderTest, RowsThatAreAlikeAreReadRunByRunWithTheSameNumbers) {
  const std::vector<std::vector<Span>> rows{
      {words({1}), picture(2), words({5, 6, 2}), picture(0), words({7}), words({8, 2}, 1)},
      {words({1, 4}), picture(0), words({6, 2}), picture(1), words({9, 2}, 0.5F)},
      {words({1}), picture(1), words({2}), picture(2), words({2}, 1)}};
  const auto session = backbone_->begin(3);
  const Reading together = read(*session, rows, {}, Purpose::learn_last);
  EXPECT_EQ(session->length(), 2 + picture_tokens + 3 + picture_tokens + 2);  // the longest of each run
  Loss alone{"", at::zeros({}), at::zeros({})};
  for (std::int64_t i = 0; i < 3; ++i) {
    const Reading reading = read(*backbone_->begin(1), {rows[static_cast<std::size_t>(i)]}, {}, Purpose::learn_last);
    EXPECT_LT(largest_difference(reading.state[0], together.state[i]), 1e-5) << i;
    const Loss loss = text_loss(reading);
    alone.sum += loss.sum;
    alone.count += loss.count;
  }
  const Loss loss = text_loss(together);
  EXPECT_NEAR(loss.sum.item<double>(), alone.sum.item<double>(), 1e-4);
  EXPECT_DOUBLE_EQ(loss.count.item<double>(), alone.count.item<double>());
  // A row in unlike company, where all is one block.
  const Tensor packed = read(*backbone_->begin(2), {rows[0], {words({3, 2})}}, {}, Purpose::learn_last).state;
  EXPECT_LT(largest_difference(packed[0], together.state[0]), 1e-5);
}

TEST_F(ReaderTest, AnEmptyRowKeepsItsState) {
  const auto session = backbone_->begin(2);
  const Tensor before = read(*session, {{words({1, 5, 2})}, {words({1, 6})}}).state;
  const Tensor after = read(*session, {{}, {words({7})}}, before).state;
  EXPECT_EQ(largest_difference(before.select(0, 0), after.select(0, 0)), 0);
  EXPECT_LT(largest_difference(state_of({words({1, 6, 7})}).select(0, 0), after.select(0, 1)), 1e-5);
}

TEST_F(ReaderTest, LearnsEachWeighedTokenFromTheStateBeforeIt) {
  const std::vector<std::vector<Span>> rows{{picture(0), words({1, 5, 2}), words({7, 2}, 1)},
                                            {words({1, 6, 2}), words({8, 9, 2}, 0.5F)}};
  const Reading reading = read(*backbone_->begin(2), rows, {}, Purpose::learn_last);
  ASSERT_EQ(reading.expected.size(0), 5);
  EXPECT_TRUE(at::equal(reading.expected, at::tensor({7, 2, 8, 9, 2}, at::kLong)));
  const std::vector<std::vector<Span>> before{{picture(0), words({1, 5, 2})},
                                              {picture(0), words({1, 5, 2, 7})},
                                              {words({1, 6, 2})},
                                              {words({1, 6, 2, 8})},
                                              {words({1, 6, 2, 8, 9})}};
  double sum = 0;
  const double weights[] = {1, 1, 0.5, 0.5, 0.5};
  for (std::int64_t i = 0; i < 5; ++i) {
    const Tensor logits = backbone_->logits(state_of(before[static_cast<std::size_t>(i)]).unsqueeze(0)).flatten();
    EXPECT_LT(largest_difference(logits, reading.logits[i]), 1e-4) << i;
    sum -= weights[i] * logits.log_softmax(0)[reading.expected[i].item<std::int64_t>()].item<double>();
  }
  const Loss loss = text_loss(reading);
  EXPECT_NEAR(loss.sum.item<double>(), sum, 1e-3);
  EXPECT_DOUBLE_EQ(loss.count.item<double>(), 3.5);
}

TEST_F(ReaderTest, ATokenThatFollowsAPictureIsLearnedFromThePicture) {
  const auto session = backbone_->begin(1);
  const Tensor before = read(*session, {{words({1, 5, 2})}}).state;
  const Reading reading = read(*session, {{picture(0, 1), words({7, 2}, 1)}}, before, Purpose::learn_last);
  const Tensor expected = backbone_->logits(state_of({words({1, 5, 2}), picture(0)}).unsqueeze(0)).flatten();
  EXPECT_LT(largest_difference(reading.logits[0], expected), 1e-4);
}

TEST_F(ReaderTest, TheFirstTokenOfASessionIsNotLearned) {
  const Reading reading = read(*backbone_->begin(1), {{words({5, 6}, 1)}}, {}, Purpose::learn);
  EXPECT_TRUE(at::equal(reading.expected, at::tensor({6}, at::kLong)));
}

TEST_F(ReaderTest, ATooLongConversationIsRefused) {
  try {
    state_of({words(std::vector<std::int64_t>(5000, 5))});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("5000 tokens is too long: 4096 fit"));
    EXPECT_EQ(error.fault(), Fault::usage);
  }
}

TEST(CutAtMadePictures, EachStretchButTheFirstBeginsWithAPictureThatIsMade) {
  const auto stretches =
      cut_at_made_pictures({words({1}), picture(0), words({2}), picture(1, 1), words({3}, 1), picture(2, 1)});
  ASSERT_EQ(stretches.size(), 3u);
  EXPECT_EQ(stretches[0].size(), 3u);
  EXPECT_EQ(stretches[1].front().image, 1);
  EXPECT_EQ(stretches[1].size(), 2u);
  EXPECT_EQ(stretches[2].front().image, 2);
}

}  // namespace
}  // namespace blip3u::testing
