#include "eval/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>
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

// The same table, method 5 (Clopper & Pearson).
TEST(Exact, AgreesWithNewcombe1998) {
  for (const auto& [successes, count, low, high] :
       {Published{81, 263, 0.2527, 0.3676}, {15, 148, 0.0578, 0.1617}, {0, 20, 0.0, 0.1684}, {1, 29, 0.0009, 0.1776}}) {
    const auto n = static_cast<double>(count);
    const auto interval = exact_interval(static_cast<double>(successes) / n, n);
    EXPECT_NEAR(interval.low, low, 6e-5) << successes << "/" << count;
    EXPECT_NEAR(interval.high, high, 6e-5) << successes << "/" << count;
  }
}

struct Items {
  std::vector<double> values;
  std::vector<std::int64_t> clusters;
};

TEST(Clustered, OfSingleItemsAgreesWithTheNormalInterval) {
  Items items;
  for (std::int64_t i = 0; i < 10000; ++i) {
    items.values.push_back(i % 5 == 0 ? 0.0 : 1.0);
    items.clusters.push_back(i);
  }
  const double half = 1.96 * std::sqrt(0.8 * 0.2 / 10000);
  for (const auto interval : {clustered_share_interval(items.values, items.clusters),
                              clustered_mean_interval(items.values, items.clusters)}) {
    EXPECT_NEAR(interval.low, 0.8 - half, 2e-4);
    EXPECT_NEAR(interval.high, 0.8 + half, 2e-4);
  }
}

// With equal items in each cluster there is only one item's worth of news in it.
TEST(Clustered, OfEqualItemsIsAsWideAsThatOfTheClusters) {
  Items items, single;
  for (std::int64_t i = 0; i < 4000; ++i) {
    items.values.push_back(i / 10 % 2 == 0 ? 0.0 : 1.0);
    items.clusters.push_back(i / 10);
    if (i % 10 != 0) continue;
    single.values.push_back(items.values.back());
    single.clusters.push_back(items.clusters.back());
  }
  for (const auto of : {clustered_share_interval, clustered_mean_interval}) {
    const auto interval = of(items.values, items.clusters), expected = of(single.values, single.clusters);
    EXPECT_NEAR(interval.low, expected.low, 1e-9);
    EXPECT_NEAR(interval.high, expected.high, 1e-9);
  }
}

TEST(Clustered, OneClusterTellsNothing) {
  for (const auto of : {clustered_share_interval, clustered_mean_interval}) {
    const auto interval = of({1, 0, 1, 1}, {7, 7, 7, 7});
    EXPECT_EQ(interval.low, 0);
    EXPECT_EQ(interval.high, 1);
  }
}

// By hand: means 0.2 and 0.6 of two clusters; their deviation is 0.2 sqrt(2), the mean's 0.2, and Student's
// point 12.706.
TEST(Clustered, MeanIsStudents) {
  const auto wide = clustered_mean_interval({0.2, 0.6}, {0, 1});
  EXPECT_EQ(wide.low, 0);
  EXPECT_EQ(wide.high, 1);
  const auto interval = clustered_mean_interval({0.48, 0.52, 0.49, 0.51}, {0, 1, 1, 0});  // clusters of mean .495, .505
  EXPECT_NEAR(interval.low, 0.5 - 12.7062 * 0.005, 1e-6);
  EXPECT_NEAR(interval.high, 0.5 + 12.7062 * 0.005, 1e-6);
}

// One wrong item must not make the figure surer by orders of magnitude than none.
TEST(Clustered, OneWrongItemIsLittleNews) {
  for (const std::int64_t count : {2, 4, 10, 100}) {
    Items items;
    for (std::int64_t i = 0; i < 400; ++i) {
      items.values.push_back(1);
      items.clusters.push_back(i % count);
    }
    const auto all = clustered_share_interval(items.values, items.clusters);
    items.values[0] = 0;
    const auto but_one = clustered_share_interval(items.values, items.clusters);
    EXPECT_LT((all.high - all.low) / (but_one.high - but_one.low), 10) << count;
  }
}

// Items of a cluster are right with a probability of its own, drawn from a beta distribution of the given correlation.
TEST(Clustered, CoversTheTruth) {
  std::mt19937_64 engine(1);
  const auto gamma = [&](double shape) { return std::gamma_distribution<double>(shape, 1.0)(engine); };
  for (const std::int64_t count : {2, 4, 10}) {
    for (const double rate : {0.5, 0.8, 0.9, 0.99}) {
      for (const double correlation : {0.02, 0.2, 0.5}) {
        constexpr int trials = 1000;
        int covered = 0;
        for (int trial = 0; trial < trials; ++trial) {
          Items items;
          for (std::int64_t cluster = 0; cluster < count; ++cluster) {
            const double strength = (1 - correlation) / correlation;
            const double right = gamma(rate * strength), wrong = gamma((1 - rate) * strength);
            std::bernoulli_distribution item(right / (right + wrong));
            for (int i = 0; i < 20; ++i) {
              items.values.push_back(item(engine) ? 1 : 0);
              items.clusters.push_back(cluster);
            }
          }
          const auto interval = clustered_share_interval(items.values, items.clusters);
          covered += interval.low <= rate && rate <= interval.high;
        }
        EXPECT_GE(covered, 0.92 * trials) << count << " clusters, rate " << rate << ", correlation " << correlation;
      }
    }
  }
}

TEST(Scores, CarryTheirCountsAndIntervals) {
  const auto share = share_score("a", "p@1", 3, 4);
  EXPECT_DOUBLE_EQ(share.value, 0.75);
  EXPECT_EQ(share.count, 4);
  EXPECT_EQ(share.interval, "wilson");
  const auto mean = mean_score("b", "p@1", {0.1, 0.2, 0.6}, {0, 1, 2});
  EXPECT_DOUBLE_EQ(mean.value, 0.3);
  EXPECT_EQ(mean.interval, "student over clusters");
  EXPECT_LE(mean.low, 0.3);
  EXPECT_GE(mean.high, 0.3);
}

TEST(Scores, AreNeverCertainBecauseAllItemsAgree) {
  const std::vector<std::int64_t> clusters = {0, 0, 1, 1, 2, 2};
  const auto right = clustered_share_score("a", "p@1", {1, 1, 1, 1, 1, 1}, clusters);
  const double items = 3 * 1.959964 * 1.959964 / (4.30265 * 4.30265);  // effective; all of n right: 0.025^(1 / n)
  EXPECT_NEAR(right.low, std::pow(0.025, 1 / items), 1e-5);
  EXPECT_EQ(right.high, 1);
  EXPECT_EQ(right.count, 6);
  const auto wrong = clustered_share_score("b", "p@1", {0, 0, 0, 0, 0, 0}, clusters);
  EXPECT_EQ(wrong.low, 0);
  EXPECT_NEAR(wrong.high, 1 - right.low, 1e-9);
}

}  // namespace
}  // namespace blip3u::eval
