// How work in steps is shown and stopped.
#pragma once

#include <functional>
#include <string>

#include "blip3u/watch.h"
#include "recorder.h"

namespace blip3u::conformance {

/// Watches `work`, and stops it at the first, a middle and the last of its steps. Unless it is `stepped`, it need not
/// take any.
std::string watched(const std::function<Tensor(const Watch& watch)>& work, bool stepped);

}  // namespace blip3u::conformance
