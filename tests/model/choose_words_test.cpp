#include "model/choose_words.h"

#include <map>

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "blip3u/random.h"

namespace blip3u {
namespace {

// Shares of 0.1, 0.4, 0.2, 0.3.
Tensor logits() { return at::tensor({0.1, 0.4, 0.2, 0.3}, at::kDouble).log().to(at::kFloat); }

/// How often each id comes up over evenly spread uniform numbers.
std::map<std::int64_t, double> shares(const TextSampling& sampling) {
  constexpr int draws = 10000;
  std::map<std::int64_t, double> result;
  for (int i = 0; i < draws; ++i) result[choose_word(logits(), sampling, (i + 0.5) / draws)] += 1.0 / draws;
  return result;
}

TEST(ChooseWord, WithoutTemperatureTheLikeliest) { EXPECT_EQ(choose_word(logits(), {}, 0.99), 1); }

TEST(ChooseWord, DrawsByProbability) {
  const auto found = shares({.temperature = 1});
  const double expected[] = {0.1, 0.4, 0.2, 0.3};
  for (int id = 0; id < 4; ++id) EXPECT_NEAR(found.at(id), expected[id], 2e-4);
}

TEST(ChooseWord, TemperatureSharpensAsThePowerOfProbabilities) {
  const auto found = shares({.temperature = 0.5});  // p^2, normalised by 0.3
  EXPECT_NEAR(found.at(1), 0.16 / 0.3, 2e-4);
  EXPECT_NEAR(found.at(0), 0.01 / 0.3, 2e-4);
}

TEST(ChooseWord, TopKAndTopPKeepTheLikeliest) {
  const auto two = shares({.temperature = 1, .top_k = 2});
  ASSERT_EQ(two.size(), 2u);
  EXPECT_NEAR(two.at(1), 4.0 / 7, 2e-4);
  const auto nucleus = shares({.temperature = 1, .top_p = 0.8});  // 0.4 + 0.3 fall short of it, 0.2 more do not
  ASSERT_EQ(nucleus.size(), 3u);
  EXPECT_NEAR(nucleus.at(2), 0.2 / 0.9, 2e-4);
  EXPECT_EQ(shares({.temperature = 1, .top_p = 0.01}).size(), 1u);
}

TEST(ChooseWord, NumbersOutOfRangeAreNamed) {
  EXPECT_EQ(problem_of(TextSampling{}), "");
  EXPECT_EQ(problem_of(TextSampling{.temperature = -1}), "the temperature must be 0 or more, is -1");
  EXPECT_EQ(problem_of(TextSampling{.top_p = 0}), "top_p must be above 0 and at most 1, is 0");
  EXPECT_EQ(problem_of(TextSampling{.top_k = -2}), "top_k must be 0 (all) or more, is -2");
  EXPECT_NE(problem_of(TextSampling{.stops = {""}}), "");
  EXPECT_NE(problem_of(TextSampling{.longest = 0}), "");
}

}  // namespace
}  // namespace blip3u
