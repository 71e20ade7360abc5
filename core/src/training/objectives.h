// What one training step computes, for each objective a stage can have.
#pragma once

#include <memory>
#include <vector>

#include "blip3u/visual.h"
#include "pipeline/pipeline.h"
#include "training/features.h"
#include "training/training_data.h"

namespace blip3u {

class BLIP3U_API StageObjective {
 public:
  virtual ~StageObjective();

  /// The loss terms of the next step: decided by the weights, the data, the seed of the stage and the step alone. Steps
  /// are asked for in order.
  virtual std::vector<Loss> losses(std::int64_t step) = 0;

  /// Called after the optimiser has stepped.
  virtual void after_step(std::int64_t /*step*/) {}

  /// Where the stage stands in its data after the latest step, and back.
  virtual std::vector<NamedTensor> position() const = 0;
  virtual void go_on_from(const std::vector<NamedTensor>& position) = 0;
};

/// Throws Error if the data lacks what the stage learns from.
BLIP3U_API void check_stage_data(const Stage& stage, const TrainingData& data);

/// The component whose losses an objective minimises; of a conversation that makes pictures besides its own loss.
BLIP3U_API const ComponentChoice& component_with_loss(ObjectiveKind objective, const PipelineChoices& pipeline);

/// `features` is null where the encoder itself learns. The references must outlive the objective.
BLIP3U_API std::unique_ptr<StageObjective> make_objective(const Stage& stage, std::uint64_t seed, Pipeline& pipeline,
                                                          const TrainingData& data, Features* features);

/// Gives the pipeline the scale of the features of pictures that it learns to make, some thousands drawn by the
/// recipe's seed, so that all stages with one encoder have one scale.
BLIP3U_API void measure_feature_scale(Pipeline& pipeline, const TrainingData& data, Features& features);

}  // namespace blip3u
