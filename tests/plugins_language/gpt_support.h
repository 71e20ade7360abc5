// Sequences and blocks for the tests of the backbone.
#pragma once

#include "plugins_language/support.h"

namespace blip3u::testing {

inline constexpr double rounding = 1e-5;

inline Tensor sequence(std::int64_t length, std::int64_t rows = 2, std::uint64_t seed = 1) {
  return normal({length, 32}, rows, seed);
}

inline Block block(Tensor embeds, Tensor group = {}) {
  Block result;
  result.embeds = std::move(embeds);
  result.group = std::move(group);
  return result;
}

inline Block uncommitted(Tensor embeds, Tensor group = {}) {
  Block result = block(std::move(embeds), std::move(group));
  result.commit = false;
  return result;
}

/// Appends pieces of the given lengths; `groups` are those of the whole sequence, or empty.
inline Tensor in_pieces(Backbone& gpt, const Tensor& whole, const std::vector<std::int64_t>& lengths,
                        const std::vector<std::int64_t>& groups = {}) {
  const auto session = gpt.begin(whole.size(0));
  std::vector<Tensor> hidden;
  std::int64_t start = 0;
  for (const std::int64_t length : lengths) {
    const Tensor group = groups.empty() ? Tensor() : order(groups).slice(0, start, start + length);
    hidden.push_back(session->append(block(whole.slice(1, start, start + length), group)));
    start += length;
  }
  return at::cat(hidden, 1);
}

}  // namespace blip3u::testing
