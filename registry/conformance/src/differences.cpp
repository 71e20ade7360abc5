#include "differences.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace blip3u::conformance {

std::optional<double> other_derivative(double promised, const std::function<double(double)>& value_at,
                                       double first_step) {
  constexpr int halvings = 15;
  constexpr double tolerance = 1e-4, rounding = 2e-5, most_slack = 2e-2;
  double best = std::numeric_limits<double>::quiet_NaN(), error = std::numeric_limits<double>::infinity();
  double size = 0;
  std::vector<double> before;  // of the step twice as long, extrapolated 0, 1, 2, ... times
  double step = first_step;
  for (int i = 0; i <= halvings; ++i, step /= 2) {
    const double above = value_at(step), below = value_at(-step);
    std::vector<double> now = {(above - below) / (2 * step)};
    if (i == 0) best = now[0];
    double power = 1;
    for (std::size_t j = 0; j < before.size(); ++j) {
      power *= 4;  // what is left after j times is of order 2 j + 2 in the step
      now.push_back(now[j] + (now[j] - before[j]) / (power - 1));
      const double difference = std::max(std::abs(now[j + 1] - now[j]), std::abs(now[j + 1] - before[j]));
      if (!(difference <= error)) continue;
      error = difference;
      best = now[j + 1];
    }
    before = std::move(now);
    size = std::max(std::abs(promised), std::abs(best));
    const double floor = rounding * std::max(std::abs(above), std::abs(below));
    if (std::abs(promised - best) <= tolerance * size + floor) return {};
  }
  // Where rounding or corners leave the differences in doubt, so much is let pass.
  if (std::abs(promised - best) <= std::min(4 * error, most_slack * size)) return {};
  return best;
}

}  // namespace blip3u::conformance
