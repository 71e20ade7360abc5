// Promised derivatives against finite differences.
#pragma once

#include <functional>
#include <optional>

namespace blip3u::conformance {

/// Nothing if the derivative of `value_at` at 0 is what a gradient promises, else the one that was found: central
/// differences, extrapolated to a step of no size (Ridders 1982, doi:10.1016/S0141-1195(82)80057-0), which say
/// themselves how far curvature and rounding let them be trusted. `first_step` may be too long.
std::optional<double> other_derivative(double promised, const std::function<double(double)>& value_at,
                                       double first_step);

}  // namespace blip3u::conformance
