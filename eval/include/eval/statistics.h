// Confidence intervals of reported figures.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "blip3u/task.h"

namespace blip3u::eval {

struct Interval {
  double low = 0, high = 0;
};

/// Wilson's score interval at 95 % for a share of independent items.
Interval wilson_interval(std::int64_t successes, std::int64_t count);

/// Clopper & Pearson's interval at 95 % for a share of independent items, whose number need not be whole.
Interval exact_interval(double share, double count);

/// Interval at 95 % for a share of items that depend on each other within clusters: clusters[i] says to which cluster
/// values[i], 0 or 1, belongs (questions about one image share it). It is Korn & Graubard's (Survey Methodology 24,
/// 1998): Clopper & Pearson's for the effective number of items, reduced by (z / t)^2, where Student's t has one degree
/// of freedom less than there are clusters. The effective number is the number of items over the design effect; since
/// few clusters tell little of that effect, it is averaged with full dependence, which counts as one degree of freedom,
/// and is full dependence where all values agree and nothing can be told. One cluster tells nothing: [0, 1].
Interval clustered_share_interval(const std::vector<double>& values, const std::vector<std::int64_t>& clusters);

/// Student's interval at 95 % for the mean of values from 0 to 1 in clusters, from the linearised variance between
/// clusters with one degree of freedom less than there are clusters, cut to [0, 1]. One cluster tells nothing: [0, 1].
Interval clustered_mean_interval(const std::vector<double>& values, const std::vector<std::int64_t>& clusters);

/// A score that is a share of independent items, with Wilson's interval.
Score share_score(std::string name, std::string protocol, std::int64_t successes, std::int64_t count);

/// A score that is a mean of values from 0 to 1 over items in clusters, with clustered_mean_interval.
Score mean_score(std::string name, std::string protocol, const std::vector<double>& values,
                 const std::vector<std::int64_t>& clusters);

/// The same for values of 0 and 1, with clustered_share_interval.
Score clustered_share_score(std::string name, std::string protocol, const std::vector<double>& values,
                            const std::vector<std::int64_t>& clusters);

/// Marks a score as one that others are compared with.
Score as_reference(Score score);

/// Numbers the groups of records in the order of their appearance.
class Clusters {
 public:
  std::int64_t of(const std::string& group) {
    return numbers_.emplace(group, static_cast<std::int64_t>(numbers_.size())).first->second;
  }

 private:
  std::map<std::string, std::int64_t> numbers_;
};

}  // namespace blip3u::eval
