// Pictures of a context as a denoiser sees them.
#pragma once

#include <cstdint>
#include <vector>

#include "blip3u/export.h"
#include "blip3u/visual.h"

namespace blip3u {

/// Rows of a Visual.
BLIP3U_API Visual select_pictures(const Visual& all, const std::vector<std::int64_t>& rows);

/// The rows of one encoder's `first`, then those of its `second`; those of fewer tokens are padded.
BLIP3U_API Visual joined(const Visual& first, const Visual& second);

/// Given::sources: the first pictures of all rows, then the second, and so on, of rows that name `pictures` of `all`. A
/// row that has fewer has no valid token there. Nothing if no row has any.
BLIP3U_API std::vector<Visual> source_pictures(const Visual& all,
                                               const std::vector<std::vector<std::int64_t>>& pictures);

}  // namespace blip3u
