// What the samplers of continuous features share.
#pragma once

#include "blip3u/parameters.h"
#include "blip3u/plugin.h"

namespace blip3u::layers {

inline constexpr ParameterSpec guidance_parameters[] = {
    number("guidance", 3.0, 0.0, 100.0, "strength of classifier-free guidance; 1: off"),
    number("condition_dropout", 0.1, 0.0, 1.0, "share of prompts that training replaces by the empty prompt"),
};

/// Rejects an encoder that makes codes.
inline void check_continuous(Wiring& wiring) {
  if (wiring.features.codebook > 0) {
    wiring.reject("", "it makes continuous features, but the encoder makes codes; choose an encoder with features");
  }
}

/// Rejects guidance that has nothing to start from.
inline void check_guidance(const Parameters& parameters, Wiring& wiring) {
  if (parameters.number("guidance") == 1.0 || parameters.number("condition_dropout") > 0) return;
  wiring.reject(
      "guidance",
      "it moves away from what the empty prompt gives, which condition_dropout: 0 never trains; set guidance: "
      "1, or raise condition_dropout");
}

}  // namespace blip3u::layers
