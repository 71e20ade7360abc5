// Confidence intervals of reported figures.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "blip3u/task.h"

namespace blip3u::eval {

struct Interval {
  double low = 0, high = 0;
};

/// Wilson's score interval at 95 % for a share of independent items.
Interval wilson_interval(std::int64_t successes, std::int64_t count);

/// Percentile interval at 95 % of the mean of `values` when whole clusters are drawn again with replacement:
/// clusters[i] says to which cluster value i belongs (questions about one image are not independent of each other).
Interval clustered_bootstrap_interval(const std::vector<double>& values, const std::vector<std::int64_t>& clusters,
                                      std::uint64_t seed, int resamples = 2000);

/// A score that is a share of independent items, with Wilson's interval.
Score share_score(std::string name, std::string protocol, std::int64_t successes, std::int64_t count);

/// A score that is a mean over items in clusters, with the clustered bootstrap's interval.
Score mean_score(std::string name, std::string protocol, const std::vector<double>& values,
                 const std::vector<std::int64_t>& clusters, std::uint64_t seed);

/// The same for values of 0 and 1. Where all are alike, drawing again cannot tell how sure that is, so the interval is
/// Wilson's over the clusters.
Score clustered_share_score(std::string name, std::string protocol, const std::vector<double>& values,
                            const std::vector<std::int64_t>& clusters, std::uint64_t seed);

}  // namespace blip3u::eval
