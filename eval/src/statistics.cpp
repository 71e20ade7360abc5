#include "eval/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <map>
#include <utility>

#include "blip3u/error.h"

namespace blip3u::eval {

namespace {

constexpr double z = 1.959963984540054;  // the normal distribution's 97.5 % point

/// Student's 97.5 % point: tables for few degrees of freedom, then the expansion of Fisher & Cornish (1960).
double student_point(std::size_t degrees) {
  constexpr double table[] = {12.70620, 4.30265, 3.18245, 2.77645, 2.57058,
                              2.44691,  2.36462, 2.30600, 2.26216, 2.22814};
  if (degrees <= std::size(table)) return table[degrees - 1];
  const auto n = static_cast<double>(degrees);
  const double z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;
  return z + (z3 + z) / (4 * n) + (5 * z5 + 16 * z3 + 3 * z) / (96 * n * n) +
         (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * n * n * n);
}

/// The distribution of Beta(a, b) at x, by Lentz's method for its continued fraction (Abramowitz & Stegun 26.5.8).
double beta_distribution(double x, double a, double b) {
  if (x > (a + 1) / (a + b + 2)) return 1 - beta_distribution(1 - x, b, a);  // where the fraction converges fast
  constexpr double tiny = 1e-300;
  double fraction = 1, c = 1, d = 0;
  for (int i = 0; i < 1000; ++i) {
    const double m = i / 2;
    const double term = i == 0       ? 1
                        : i % 2 == 0 ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
                                     : -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / std::max(tiny, 1 + term * d);
    c = std::max(tiny, 1 + term / c);
    fraction *= c * d;
    if (std::abs(1 - c * d) < 1e-14) break;
  }
  const double logarithm = std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x);
  return std::exp(logarithm) / a * (fraction - 1);
}

double beta_quantile(double share, double a, double b) {
  double low = 0, high = 1;
  for (int halving = 0; halving < 52; ++halving) {
    const double middle = (low + high) / 2;
    (beta_distribution(middle, a, b) < share ? low : high) = middle;
  }
  return low;
}

struct Clustering {
  double mean = 0;
  double variance = 0;      ///< of the mean, linearised; 0 for one cluster
  double cluster_size = 0;  ///< that an item sees: the mean over items
  std::size_t count = 0;
};

Clustering summarize(const std::vector<double>& values, const std::vector<std::int64_t>& clusters) {
  if (values.empty()) throw Error("statistics: no items were scored, so there is no interval to give");
  struct Total {
    double sum = 0, count = 0;
  };
  std::map<std::int64_t, Total> totals;
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    Total& total = totals[clusters[i]];
    total.sum += values[i];
    total.count += 1;
    sum += values[i];
  }
  const auto items = static_cast<double>(values.size());
  Clustering result{.mean = sum / items, .count = totals.size()};
  double squares = 0;
  for (const auto& [cluster, total] : totals) {
    const double deviation = total.sum - result.mean * total.count;
    squares += deviation * deviation;
    result.cluster_size += total.count * total.count / items;
  }
  const auto count = static_cast<double>(result.count);
  if (result.count > 1) result.variance = count / (count - 1) * squares / (items * items);
  return result;
}

Score clustered_score(std::string name, std::string protocol, const Clustering& items, std::size_t count,
                      Interval interval, const char* kind) {
  return {.name = std::move(name),
          .protocol = std::move(protocol),
          .value = items.mean,
          .low = interval.low,
          .high = interval.high,
          .interval = kind,
          .count = static_cast<std::int64_t>(count)};
}

Interval share_interval(const Clustering& items, double count) {
  if (items.count < 2) return {0, 1};
  const double spread = items.mean * (1 - items.mean) / count;  // the variance if the items were independent
  const auto degrees = static_cast<double>(items.count - 1);
  double effect = items.cluster_size;
  if (spread > 0) effect = std::max(1.0, (degrees * items.variance / spread + effect) / (degrees + 1));
  const double reduction = z / student_point(items.count - 1);
  return exact_interval(items.mean, count / effect * reduction * reduction);
}

Interval mean_interval(const Clustering& items) {
  if (items.count < 2) return {0, 1};
  const double half = student_point(items.count - 1) * std::sqrt(items.variance);
  return {std::max(0.0, items.mean - half), std::min(1.0, items.mean + half)};
}

}  // namespace

Interval wilson_interval(std::int64_t successes, std::int64_t count) {
  if (count <= 0) throw Error("statistics: no items were scored, so there is no interval to give");
  const auto n = static_cast<double>(count);
  const double share = static_cast<double>(successes) / n;
  const double centre = (share + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z / (1 + z * z / n) * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n));
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

Interval exact_interval(double share, double count) {
  const double right = share * count, wrong = count - right;
  return {share <= 0 ? 0.0 : beta_quantile(0.025, right, wrong + 1),
          share >= 1 ? 1.0 : beta_quantile(0.975, right + 1, wrong)};
}

Interval clustered_share_interval(const std::vector<double>& values, const std::vector<std::int64_t>& clusters) {
  return share_interval(summarize(values, clusters), static_cast<double>(values.size()));
}

Interval clustered_mean_interval(const std::vector<double>& values, const std::vector<std::int64_t>& clusters) {
  return mean_interval(summarize(values, clusters));
}

Score share_score(std::string name, std::string protocol, std::int64_t successes, std::int64_t count) {
  const auto [low, high] = wilson_interval(successes, count);
  return {.name = std::move(name),
          .protocol = std::move(protocol),
          .value = static_cast<double>(successes) / static_cast<double>(count),
          .low = low,
          .high = high,
          .interval = "wilson",
          .count = count};
}

Score mean_score(std::string name, std::string protocol, const std::vector<double>& values,
                 const std::vector<std::int64_t>& clusters) {
  const Clustering items = summarize(values, clusters);
  return clustered_score(std::move(name), std::move(protocol), items, values.size(), mean_interval(items),
                         "student over clusters");
}

Score clustered_share_score(std::string name, std::string protocol, const std::vector<double>& values,
                            const std::vector<std::int64_t>& clusters) {
  const Clustering items = summarize(values, clusters);
  return clustered_score(std::move(name), std::move(protocol), items, values.size(),
                         share_interval(items, static_cast<double>(values.size())), "korn-graubard over clusters");
}

Score as_reference(Score score) {
  score.reference = true;
  return score;
}

}  // namespace blip3u::eval
