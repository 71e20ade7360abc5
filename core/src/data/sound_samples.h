// All samples of a split but the corrupt ones.
#pragma once

#include <functional>
#include <string>

#include "blip3u/dataset.h"

namespace blip3u {

/// Gives each sample in order; those that are corrupt are passed over, as training does, and what is wrong with each is
/// given to `refuse`. Hears Ctrl-C.
BLIP3U_API void for_each_sound_sample(
    const Dataset& dataset, Split split, const std::function<void(const Sample&)>& take,
    const std::function<void(const std::string& problem)>& refuse = [](const std::string&) {});

}  // namespace blip3u
