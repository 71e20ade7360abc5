#include "eval/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <set>
#include <unordered_map>
#include <utility>

#include "blip3u/error.h"

namespace blip3u::eval {

namespace {

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

}  // namespace

Interval wilson_interval(std::int64_t successes, std::int64_t count) {
  if (count <= 0) throw Error("statistics: no items were scored, so there is no interval to give");
  constexpr double z = 1.959963984540054;  // the normal distribution's 97.5 % point
  const auto n = static_cast<double>(count);
  const double share = static_cast<double>(successes) / n;
  const double centre = (share + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z / (1 + z * z / n) * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n));
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

Interval clustered_bootstrap_interval(const std::vector<double>& values, const std::vector<std::int64_t>& clusters,
                                      std::uint64_t seed, int resamples) {
  if (values.empty()) throw Error("statistics: no items were scored, so there is no interval to give");
  struct Total {
    double sum = 0, count = 0;
  };
  std::vector<Total> totals;
  std::unordered_map<std::int64_t, std::size_t> index;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto [entry, fresh] = index.emplace(clusters[i], totals.size());
    if (fresh) totals.emplace_back();
    totals[entry->second].sum += values[i];
    totals[entry->second].count += 1;
  }
  std::mt19937_64 engine(seed);
  std::vector<double> means;
  means.reserve(static_cast<std::size_t>(resamples));
  for (int resample = 0; resample < resamples; ++resample) {
    Total total;
    for (std::size_t draw = 0; draw < totals.size(); ++draw) {
      // The bias of a remainder of 64 random bits is far below anything that could be measured here.
      const auto& cluster = totals[engine() % totals.size()];
      total.sum += cluster.sum;
      total.count += cluster.count;
    }
    means.push_back(total.sum / total.count);
  }
  std::ranges::sort(means);
  const auto quantile = [&](double share) {
    const double position = share * static_cast<double>(means.size() - 1);
    const auto below = static_cast<std::size_t>(position);
    const auto above = std::min(below + 1, means.size() - 1);
    return std::lerp(means[below], means[above], position - static_cast<double>(below));
  };
  return {quantile(0.025), quantile(0.975)};
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
                 const std::vector<std::int64_t>& clusters, std::uint64_t seed) {
  const auto [low, high] = clustered_bootstrap_interval(values, clusters, seed);
  return {.name = std::move(name),
          .protocol = std::move(protocol),
          .value = mean(values),
          .low = low,
          .high = high,
          .interval = "clustered bootstrap",
          .count = static_cast<std::int64_t>(values.size())};
}

Score clustered_share_score(std::string name, std::string protocol, const std::vector<double>& values,
                            const std::vector<std::int64_t>& clusters, std::uint64_t seed) {
  Score score = mean_score(std::move(name), std::move(protocol), values, clusters, seed);
  if (score.value == 0 || score.value == 1) {
    const auto count = static_cast<std::int64_t>(std::set(clusters.begin(), clusters.end()).size());
    const auto [low, high] = wilson_interval(score.value == 1 ? count : 0, count);
    score.low = low;
    score.high = high;
    score.interval = "wilson over clusters";
  }
  return score;
}

}  // namespace blip3u::eval
