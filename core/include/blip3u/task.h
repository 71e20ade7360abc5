// task: an evaluation. It asks the model, scores what comes back by a named protocol, and reports with an interval.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "blip3u/component.h"
#include "blip3u/dataset.h"
#include "blip3u/model.h"

namespace blip3u {

/// One reported figure.
struct Score {
  std::string name;          ///< e.g. "generation/seen"
  std::string protocol;      ///< the named scorer, e.g. "shapes@2"
  double value = 0;          ///< 1 for a perfect model where higher is better
  double low = 0, high = 0;  ///< 95 % confidence interval
  std::string interval;      ///< how it was computed: "wilson", "student over clusters", ...
  std::int64_t count = 0;    ///< items scored
  bool higher_is_better = true;
  bool reference = false;  ///< a floor, a ceiling, the scorer's own accuracy or a part of a score, shown beside
};

/// One scored item, for people and for scoring again.
struct ItemRecord {
  std::string id, input, output, expected;
  double score = 0;
};

/// A picture for the report with a line of text below it.
struct LabelledImage {
  Tensor image;  ///< [3,S,S] float32 in [-1,1]
  std::string label;
  bool good = true;
};

struct TaskResult {
  std::vector<Score> scores;
  std::vector<ItemRecord> items;
  std::vector<LabelledImage> images;
};

struct TaskContext {
  Model& model;
  const Dataset& dataset;
  std::uint64_t seed;
  std::function<void(std::int64_t done, std::int64_t total)> progress;  ///< may be empty
};

class BLIP3U_API Task : public Component {
 public:
  ~Task() override;

  /// The ability that the task asks of the model. Without it the report says why the task did not run.
  virtual Model::Ability needs() const = 0;

  /// An empty string if the data set can serve the task, else why not, in one sentence that says how to mend it. The
  /// runner asks before it trains, reports the task as not applicable and does not call `evaluate`.
  virtual std::string missing_for(const Dataset&) const { return {}; }

  virtual TaskResult evaluate(const TaskContext&) = 0;
};

}  // namespace blip3u
