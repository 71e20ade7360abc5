// What the guidances of continuous times share.
#pragma once

#include <vector>

#include <ATen/ATen.h>

#include "blip3u/guidance.h"
#include "blip3u/plugin.h"

namespace blip3u::layers {

/// [B] in a shape that broadcasts over like [B,...].
inline Tensor per_row(const Tensor& values, const Tensor& like) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(like.dim()), 1);
  shape[0] = -1;
  return values.view(shape);
}

/// `change`, but zero for rows whose time [B] lies outside [from, to].
inline Tensor inside(const Tensor& change, const Tensor& time, double from, double to) {
  if (!time.defined() || (from <= 0 && to >= 1)) return change;
  return change * per_row(time.ge(from).logical_and(time.le(to)).to(change.scalar_type()), change);
}

inline void check_interval(const Parameters& parameters, Wiring& wiring) {
  if (parameters.number("from") <= parameters.number("to")) return;
  wiring.reject("from", "no time lies between from and to; lower from, or raise to");
}

inline constexpr ParameterSpec interval_from =
    inference(number("from", 0.0, 0.0, 1.0, "the lowest time at which it acts; 0 is data"));
inline constexpr ParameterSpec interval_to =
    inference(number("to", 1.0, 0.0, 1.0, "the highest time at which it acts; 1 is noise"));

}  // namespace blip3u::layers
