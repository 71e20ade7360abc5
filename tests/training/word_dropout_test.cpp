#include "training/word_dropout.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace blip3u {
namespace {

std::map<std::string, int> outcomes(const std::string& text, double probability, int count) {
  std::vector<std::string> texts(static_cast<std::size_t>(count), text);
  Generator generator = Generator::for_rows(5, 0, count);
  drop_words(texts, probability, generator);
  std::map<std::string, int> seen;
  for (const std::string& each : texts) ++seen[each];
  return seen;
}

void expect_share(int seen, int count, double share) {
  EXPECT_NEAR(seen, count * share, 5 * std::sqrt(count * share * (1 - share)));
}

TEST(WordDropout, LeavesOneWordWhereAllWouldGo) {
  for (const double probability : {0.4, 1.0}) {
    for (const char* text : {"red", "red triangle", "a red triangle"}) {
      EXPECT_EQ(outcomes(text, probability, 2000).count(""), 0u) << text;
    }
  }
  const auto last = outcomes("a red triangle", 1, 3000);
  ASSERT_EQ(last.size(), 3u);
  for (const auto& [word, times] : last) expect_share(times, 3000, 1.0 / 3);
}

TEST(WordDropout, DropsEachWordAlike) {
  constexpr int count = 10000;
  const auto seen = outcomes("red triangle", 0.4, count);
  expect_share(seen.at("red triangle"), count, 0.36);
  expect_share(seen.at("red"), count, 0.24 + 0.08);  // kept alone, or the one that stays
  expect_share(seen.at("triangle"), count, 0.24 + 0.08);
}

TEST(WordDropout, LeavesAnEmptyTextAndWordsBeyondTheSixtyFourth) {
  EXPECT_EQ(outcomes("", 0.4, 1).count(""), 1u);
  std::string text;
  for (int i = 0; i < 64; ++i) text += "x ";
  EXPECT_EQ(outcomes(text + "y", 1, 5).at("y"), 5);
}

}  // namespace
}  // namespace blip3u
