// What one training step computes, for each objective a stage can have.
#pragma once

#include <memory>
#include <vector>

#include "blip3u/dataset.h"
#include "blip3u/visual.h"
#include "pipeline/pipeline.h"
#include "training/training_data.h"

namespace blip3u {

class BLIP3U_API StageObjective {
 public:
  virtual ~StageObjective();

  /// The loss terms of a step: a pure function of the weights, the data, the seed of the stage and the step.
  virtual std::vector<Loss> losses(std::int64_t step) = 0;

  /// Called after the optimiser has stepped.
  virtual void after_step(std::int64_t /*step*/) {}
};

/// Throws Error if the data lacks what the stage learns from.
BLIP3U_API void check_stage_data(const Stage& stage, const Dataset& dataset);

/// The component whose losses an objective minimises; of a conversation that makes pictures besides its own loss.
BLIP3U_API const ComponentChoice& component_with_loss(ObjectiveKind objective, const PipelineChoices& pipeline);

/// `features` is null where the encoder itself learns. The references must outlive the objective. A conversation
/// that makes pictures sets the pipeline's feature scale from the features.
BLIP3U_API std::unique_ptr<StageObjective> make_objective(const Stage& stage, std::uint64_t seed, Pipeline& pipeline,
                                                          const Dataset& dataset, const FeatureTable* features);

}  // namespace blip3u
