#include "data/order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <vector>

namespace blip3u {
namespace {

std::vector<std::int64_t> permutation(std::uint64_t seed, std::int64_t size) {
  std::vector<std::int64_t> result;
  for (std::int64_t i = 0; i < size; ++i) result.push_back(permuted(seed, size, i));
  return result;
}

TEST(Order, HitsEveryNumberOnce) {
  for (const std::int64_t size : {1, 2, 3, 5, 63, 64, 65, 1000, 4097}) {
    auto order = permutation(7, size);
    std::ranges::sort(order);
    std::vector<std::int64_t> all(static_cast<std::size_t>(size));
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(order, all) << size;
  }
}

TEST(Order, StaysInRangeForSetsBeyondMemory) {
  const std::int64_t size = (std::int64_t{1} << 40) + 1;
  for (std::int64_t i = size - 100; i < size; ++i) {
    EXPECT_GE(permuted(3, size, i), 0);
    EXPECT_LT(permuted(3, size, i), size);
  }
}

TEST(Order, EveryPermutationOfThreeIsAsLikely) {
  std::map<std::vector<std::int64_t>, int> counts;
  constexpr int draws = 6000;
  for (int seed = 0; seed < draws; ++seed) ++counts[permutation(static_cast<std::uint64_t>(seed), 3)];
  ASSERT_EQ(counts.size(), 6U);
  double chi_square = 0;
  for (const auto& [order, count] : counts) chi_square += std::pow(count - draws / 6.0, 2) / (draws / 6.0);
  EXPECT_LT(chi_square, 20.5);  // 0.999 quantile at 5 degrees of freedom
}

TEST(Order, NeighboursDoNotStayTogether) {
  const auto order = permutation(1, 10000);
  int together = 0;
  for (std::size_t i = 1; i < order.size(); ++i) together += order[i] == order[i - 1] + 1 ? 1 : 0;
  EXPECT_LE(together, 6);  // Poisson with mean 1: more has a probability of 1e-4
}

TEST(Mix, TakesSourcesByWeight) {
  const Mix mix(5, {3, 1, 2});
  constexpr int draws = 12000;
  std::vector<int> counts(3);
  for (int row = 0; row < draws; ++row) ++counts[mix.pick(row)];
  double chi_square = 0;
  const std::vector<double> expected = {draws / 2.0, draws / 6.0, draws / 3.0};
  for (std::size_t i = 0; i < 3; ++i) chi_square += std::pow(counts[i] - expected[i], 2) / expected[i];
  EXPECT_LT(chi_square, 13.8);  // 0.999 quantile at 2 degrees of freedom
}

}  // namespace
}  // namespace blip3u
