// How work in steps is shown and stopped.
#pragma once

#include <cstdint>
#include <functional>

#include "blip3u/error.h"
#include "blip3u/visual.h"

namespace blip3u {

/// Told after each step of a solver, from 1 to `total`.
struct Step {
  std::int64_t done = 0, total = 0;
  const Visual* guess = nullptr;  ///< the result if it ended here, where that costs nothing to say; valid for the call
};

/// Whoever waits for the result. Called by the thread that works; false: stop. Empty: nobody watches.
using Watch = std::function<bool(const Step&)>;

/// Tells the watch, and throws Cancelled if it says to stop.
inline void report(const Watch& watch, const Step& step) {
  if (watch && !watch(step)) throw Cancelled();
}

}  // namespace blip3u
