// All samples of a split but the corrupt ones.
#pragma once

#include <functional>

#include "blip3u/dataset.h"

namespace blip3u {

/// Gives each sample in order; those that are corrupt are passed over, as training does.
BLIP3U_API void for_each_sound_sample(const Dataset& dataset, Split split,
                                      const std::function<void(const Sample&)>& take);

}  // namespace blip3u
