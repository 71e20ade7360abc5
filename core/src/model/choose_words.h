// Which word comes next: greedy, or drawn from the likeliest.
#pragma once

#include <cstdint>
#include <vector>

#include "blip3u/request.h"

namespace blip3u {

/// The chosen id of one row. logits [vocabulary] on any device; `uniform` in [0,1) decides among what the sampling
/// leaves: first top_k, then top_p of what is left, each with the likelier first and equals by id.
BLIP3U_API std::int64_t choose_word(const Tensor& logits, const TextSampling& sampling, double uniform);

/// An empty string if the numbers are in their ranges, else which is not, and how to mend it.
BLIP3U_API std::string problem_of(const TextSampling& sampling);

}  // namespace blip3u
