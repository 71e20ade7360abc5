// Orders that are computed instead of stored.
#pragma once

#include <cstdint>
#include <vector>

#include "blip3u/export.h"

namespace blip3u {

/// Where item `index` of [0, size) goes in a permutation of [0, size) drawn by the seed. Needs no memory: a Feistel
/// network over the next power of four, walked until it comes back into range (Black and Rogaway 2002).
BLIP3U_API std::int64_t permuted(std::uint64_t seed, std::int64_t size, std::int64_t index);

/// Which of several sources a row is taken from: each by its weight, independently for every row.
class BLIP3U_API Mix {
 public:
  Mix(std::uint64_t seed, const std::vector<double>& weights);  ///< all > 0

  std::size_t pick(std::int64_t row) const;

 private:
  std::uint64_t seed_;
  std::vector<double> ends_;  // of each source's part of [0, 1]
};

}  // namespace blip3u
