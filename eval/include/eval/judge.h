// What a sweep shows: differences of designs, and how far they can be believed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "eval/statistics.h"

namespace blip3u::eval {

/// What one run scored, and how much each item that it was asked bears on that (see core's influences_of).
struct Observation {
  double value = 0;
  std::map<std::string, double> influences;
};

/// One score of a sweep: by point, by seed. A run that failed, or has no such score, is absent. The same seed in two
/// points means the same initial weights and order of data, as far as the designs allow, and the same items.
struct ScoreTable {
  std::string name;
  bool higher_is_better = true;
  std::vector<std::vector<std::optional<Observation>>> observations;
};

/// A sum of points' scores with weights, such as a point less the baseline.
struct Contrast {
  std::string name;
  std::map<std::size_t, double> weights;  ///< by point
};

enum class Verdict { better, worse, unseen, untold };

struct Estimated {
  std::string score, name;
  double value = 0;
  Interval interval;            ///< nominal, at 95 %
  double p = 1, corrected = 1;  ///< two-sided; the latter by Holm for all that were judged together
  double smallest = 0;          ///< smallest_effect(), where it has been worked out
  double error = 0;             ///< the standard error of the value
  double degrees = 0;           ///< of freedom; 0: nothing can be told
  std::size_t comparisons = 0;  ///< that were judged together
  std::size_t seeds = 0;
  Verdict verdict = Verdict::untold;
  std::string remark;  ///< what limits it
};

/// Estimates contrasts of several scores, which are judged together.
///
/// The variance of a contrast has two parts. Between trainings: what is left of the scores when points and seeds are
/// taken out (an additive model, so seeds are blocks), by point, moderated towards what all points share (Smyth 2004):
/// fully pooled where the points' variances differ no more than by chance, so that two seeds of many points tell more
/// than two seeds of one. Between items that all seeds were asked: the covariance, between seeds, of the items'
/// influences on the contrast. Items that differ from seed to seed are part of the first. Student's distribution has
/// Satterthwaite's degrees of freedom. With one seed only the items count, and nothing is called better unless
/// `one_training` says that all points have the same weights.
std::vector<Estimated> judge(const std::vector<ScoreTable>& scores, const std::vector<Contrast>& contrasts,
                             bool one_training);

/// The effect that another sweep like this one would call a difference in 4 of 5 cases. It is integrated
/// numerically, which takes a while.
double smallest_effect(const Estimated& estimated);

/// Each point less the baseline, which is point 0.
std::vector<Contrast> differences(const std::vector<std::string>& points);

/// An axis of a sweep and its number of labels.
struct JudgedAxis {
  std::string name;
  std::vector<std::string> labels;
};

/// Main effects of each label against the baseline's and interactions of two axes, each the mean over all settings of
/// the other axes for which every point that it needs is there. `labels` are those of the points, by axis; point 0 is
/// the baseline.
std::vector<Contrast> effects(const std::vector<JudgedAxis>& axes, const std::vector<std::vector<std::size_t>>& labels);

/// "better", "worse", "no difference seen", "cannot be told"
const char* verdict_text(Verdict verdict);

}  // namespace blip3u::eval
