// What one training step computes, for each objective a stage can have.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "blip3u/visual.h"
#include "pipeline/pipeline.h"
#include "training/features.h"
#include "training/training_data.h"

namespace blip3u {

/// One term of a step's loss, with the factor that the recipe gives it. The name is unique in the stage.
struct Term {
  Loss loss;
  double weight = 1;
};

using LossPart = std::function<std::vector<Term>()>;

class BLIP3U_API StageObjective {
 public:
  virtual ~StageObjective();

  /// The loss terms of the next step: decided by the weights, the data, the seed of the stage and the step alone. Steps
  /// are asked for in order. Where the stage has parts, so does this: each makes the terms of some rows, and is called
  /// once, maybe by another thread while others are; of terms of one name the sums and counts add up.
  virtual std::vector<LossPart> losses(std::int64_t step) = 0;

  /// Called after the optimiser has stepped.
  virtual void after_step(std::int64_t /*step*/) {}

  /// Where the stage stands in its data after the latest step, and back.
  virtual std::vector<NamedTensor> position() const = 0;
  virtual void go_on_from(const std::vector<NamedTensor>& position) = 0;
};

/// Throws Error if the data lacks what the stage learns from.
BLIP3U_API void check_stage_data(const Stage& stage, const TrainingData& data);

/// `features` are those of the encoders that stand still, by role; the others are asked with gradients. The references
/// must outlive the objective.
BLIP3U_API std::unique_ptr<StageObjective> make_objective(const Stage& stage, std::uint64_t seed, Pipeline& pipeline,
                                                          const TrainingData& data, FeatureTable& features);

/// Gives a link the scale of the features of pictures that it learns to make, some thousands drawn by the recipe's
/// seed, so that all stages with one target have one scale.
BLIP3U_API void measure_feature_scale(const Link& link, std::uint64_t seed, const TrainingData& data,
                                      Features& features);

}  // namespace blip3u
