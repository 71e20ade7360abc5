#include "eval/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "blip3u/error.h"

namespace blip3u::eval {
namespace {

struct Published {
  std::int64_t successes, count;
  double low, high;
};

// R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
TEST(Wilson, AgreesWithNewcombe1998) {
  for (const auto& [successes, count, low, high] :
       {Published{81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0.0, 0.1611}, {1, 29, 0.0061, 0.1718}}) {
    const auto interval = wilson_interval(successes, count);
    EXPECT_NEAR(interval.low, low, 6e-5) << successes << "/" << count;
    EXPECT_NEAR(interval.high, high, 6e-5) << successes << "/" << count;
  }
}

TEST(Wilson, IsSymmetricAndStaysWithinTheUnitInterval) {
  const auto all = wilson_interval(20, 20), none = wilson_interval(0, 20);
  EXPECT_DOUBLE_EQ(all.high, 1.0);
  EXPECT_NEAR(all.low, 1 - none.high, 1e-12);
}

TEST(Wilson, OfNothingIsAnError) { EXPECT_THROW(wilson_interval(0, 0), Error); }

TEST(Bootstrap, OfSingleItemsAgreesWithTheNormalInterval) {
  std::vector<double> values;
  std::vector<std::int64_t> clusters;
  for (std::int64_t i = 0; i < 1000; ++i) {
    values.push_back(i % 5 == 0 ? 0.0 : 1.0);
    clusters.push_back(i);
  }
  const auto interval = clustered_bootstrap_interval(values, clusters, 1);
  const double half = 1.96 * std::sqrt(0.8 * 0.2 / 1000);
  EXPECT_NEAR(interval.low, 0.8 - half, 0.003);
  EXPECT_NEAR(interval.high, 0.8 + half, 0.003);
}

// With m equal items in each cluster there is only one item's worth of news in it: the interval of n / m items.
TEST(Bootstrap, OfEqualItemsInClustersIsAsWideAsThatOfTheClusters) {
  std::vector<double> values;
  std::vector<std::int64_t> clusters;
  for (std::int64_t i = 0; i < 4000; ++i) {
    values.push_back(i / 10 % 2 == 0 ? 0.0 : 1.0);
    clusters.push_back(i / 10);
  }
  const auto interval = clustered_bootstrap_interval(values, clusters, 1);
  const double half = 1.96 * std::sqrt(0.25 / 400);
  EXPECT_NEAR(interval.low, 0.5 - half, 0.005);
  EXPECT_NEAR(interval.high, 0.5 + half, 0.005);
}

TEST(Bootstrap, DependsOnNothingButTheSeed) {
  const std::vector<double> values = {0, 1, 1, 0.5, 0.25, 1};
  const std::vector<std::int64_t> clusters = {0, 0, 1, 1, 2, 3};
  const auto once = clustered_bootstrap_interval(values, clusters, 7),
             again = clustered_bootstrap_interval(values, clusters, 7);
  EXPECT_EQ(once.low, again.low);
  EXPECT_EQ(once.high, again.high);
}

TEST(Scores, CarryTheirCountsAndIntervals) {
  const auto share = share_score("a", "p@1", 3, 4);
  EXPECT_DOUBLE_EQ(share.value, 0.75);
  EXPECT_EQ(share.count, 4);
  EXPECT_EQ(share.interval, "wilson");
  const auto mean = mean_score("b", "p@1", {1, 2, 6}, {0, 1, 2}, 1);
  EXPECT_DOUBLE_EQ(mean.value, 3);
  EXPECT_EQ(mean.interval, "clustered bootstrap");
  EXPECT_LE(mean.low, 3);
  EXPECT_GE(mean.high, 3);
}

TEST(Scores, AreNeverCertainBecauseAllItemsAgree) {
  const std::vector<std::int64_t> clusters = {0, 0, 1, 1, 2, 2};
  const double square = 1.959964 * 1.959964;  // Wilson's interval of all of n, or none, ends at n or z^2 of n + z^2
  const auto right = clustered_share_score("a", "p@1", {1, 1, 1, 1, 1, 1}, clusters, 1);
  EXPECT_NEAR(right.low, 3 / (3 + square), 1e-6);
  EXPECT_EQ(right.high, 1);
  EXPECT_EQ(right.count, 6);
  const auto wrong = clustered_share_score("b", "p@1", {0, 0, 0, 0, 0, 0}, clusters, 1);
  EXPECT_EQ(wrong.low, 0);
  EXPECT_NEAR(wrong.high, square / (3 + square), 1e-6);
  const auto mixed = clustered_share_score("c", "p@1", {1, 0, 1, 1, 0, 1}, clusters, 1);
  EXPECT_EQ(mixed.low, mean_score("c", "p@1", {1, 0, 1, 1, 0, 1}, clusters, 1).low);
}

}  // namespace
}  // namespace blip3u::eval
