#include "eval/answers.h"

#include <gtest/gtest.h>

namespace blip3u::eval {
namespace {

TEST(Answers, AreComparedByTheirWords) {
  EXPECT_EQ(plain_answer("  Two red\tstars. "), "two red stars");
  EXPECT_EQ(plain_answer("No!"), "no");
  EXPECT_EQ(plain_answer("?"), "");
}

TEST(Answers, AreCountedAsTheyAreCompared) {
  AnswerCounts counts;
  EXPECT_EQ(counts.most_frequent(), "");
  for (const char* answer : {"no", "Yes", "yes.", "No!"}) counts.add(answer);
  EXPECT_EQ(counts.most_frequent(), "no") << "the first of equals";
  counts.add("YES");
  EXPECT_EQ(counts.most_frequent(), "yes");
}

TEST(Answers, AreRecordedBesideAGuessWithoutLooking) {
  const Item item{.id = "i", .expected = "Two.", .group = "g", .labels = {{"question", "how many?"}, {"blind", "two"}}};
  const std::vector<Output> outputs = {{.text = "two"}, {.text = "three"}};
  const auto records = answer_records(item, outputs, {{"kind", "count"}});
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].score, 1);
  EXPECT_EQ(records[1].score, 0);
  EXPECT_EQ(records[1].output, "three");
  EXPECT_EQ(records[1].values.at("blind"), 1);
  EXPECT_EQ(records[1].labels.at("kind"), "count");
}

}  // namespace
}  // namespace blip3u::eval
