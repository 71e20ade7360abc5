// What the samplers of continuous features share.
#pragma once

#include <string>
#include <string_view>

#include "blip3u/plugin.h"

namespace blip3u::layers {

/// Rejects an encoder that makes codes.
inline void check_continuous(Wiring& wiring) {
  if (wiring.features.codebook > 0) {
    wiring.reject("", "it makes continuous features, but the encoder makes codes; choose an encoder with features");
  }
}

/// Of a sampler with an objective: says what it trains or, where another sampler has trained, whether it solves that.
/// `solves` is all that it can, separated by spaces.
inline void check_objective(const std::string& trains, std::string_view solves, Wiring& wiring) {
  if (wiring.objective.empty()) {
    wiring.objective = trains;
  } else if ((" " + std::string(solves) + " ").find(" " + wiring.objective + " ") == std::string::npos) {
    wiring.reject("", "it solves " + std::string(solves) + ", but the sampler trains " + wiring.objective +
                          "; choose a solver of that");
  }
}

}  // namespace blip3u::layers
