// Classifier-free guidance (Ho & Salimans 2022, arXiv:2207.12598).
#pragma once

#include <vector>

#include "blip3u/denoiser.h"

namespace blip3u::layers {

/// The prediction under conditions[0], moved away from that under conditions[1] (the empty prompt's) if there is one:
/// empty + guidance * (full - empty).
inline Tensor guided_prediction(Denoiser& denoiser, const Tensor& x, const Tensor& time,
                                const std::vector<Condition>& conditions, double guidance) {
  const Visual noised{x, {}};
  const Tensor full = denoiser.predict(noised, time, conditions.at(0));
  if (conditions.size() < 2 || guidance == 1.0) return full;
  const Tensor empty = denoiser.predict(noised, time, conditions[1]);
  return empty + guidance * (full - empty);
}

}  // namespace blip3u::layers
