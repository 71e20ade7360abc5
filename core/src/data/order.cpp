#include "data/order.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "blip3u/random.h"

namespace blip3u {

std::int64_t permuted(std::uint64_t seed, std::int64_t size, std::int64_t index) {
  constexpr std::uint64_t rounds = 8;
  constexpr int fewest_bits = 3;  // with narrower halves a network reaches few of the permutations
  const auto last = static_cast<std::uint64_t>(size - 1);
  const int half = std::max(fewest_bits, (static_cast<int>(std::bit_width(last)) + 1) / 2);
  const std::uint64_t mask = (std::uint64_t{1} << half) - 1;
  auto value = static_cast<std::uint64_t>(index);
  do {
    std::uint64_t left = value >> half, right = value & mask;
    for (std::uint64_t round = 0; round < rounds; ++round) {
      const std::uint64_t mixed = left ^ (derive_seed(seed, right * rounds + round) & mask);
      left = right;
      right = mixed;
    }
    value = left << half | right;
  } while (value > last);
  return static_cast<std::int64_t>(value);
}

Mix::Mix(std::uint64_t seed, const std::vector<double>& weights) : seed_(derive_seed(seed, "mix")) {
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  double end = 0;
  for (const double weight : weights) ends_.push_back((end += weight) / total);
}

std::size_t Mix::pick(std::int64_t row) const {
  const double place = static_cast<double>(derive_seed(seed_, static_cast<std::uint64_t>(row)) >> 11) * 0x1p-53;
  const auto found = std::ranges::upper_bound(ends_, place);
  return static_cast<std::size_t>(std::min(found, ends_.end() - 1) - ends_.begin());
}

}  // namespace blip3u
