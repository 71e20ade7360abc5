// One training stage: resumable, and the same whether it was interrupted or not.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "pipeline/pipeline.h"
#include "training/features.h"
#include "training/training_data.h"

namespace blip3u {

/// What training a stage left behind, besides weights.
struct StageRecord {
  double seconds = 0;                                 ///< of training, over all sittings
  std::map<std::string, std::vector<double>> losses;  ///< by name, one value a step; "total" is what was minimised
};

/// Trains `stage` in `folder` unless weights.safetensors is there, going on from progress.safetensors if that is.
/// Either way the pipeline has the stage's weights afterwards. Everything depends on the seed, the step and the data
/// alone, so an interrupted stage ends bit for bit where an undisturbed one does. Interrupting saves first.
/// The weights file holds nothing that differs between two runs, such as times.
BLIP3U_API StageRecord train_stage(const Stage& stage, std::uint64_t seed, Pipeline& pipeline, const TrainingData& data,
                                   FeatureTable& features, const std::filesystem::path& folder);

/// Whether any role that the stage trains has weights at all (the pixels encoder has none).
BLIP3U_API bool trains_anything(const Stage& stage, const Pipeline& pipeline);

/// The weights file of a stage folder, whether or not it is there yet.
BLIP3U_API std::filesystem::path stage_weights(const std::filesystem::path& folder);

/// Puts what a stage trained from its weights file into the pipeline, and returns the file's record.
BLIP3U_API StageRecord load_stage_weights(const std::filesystem::path& file, const Stage& stage, Pipeline& pipeline);

}  // namespace blip3u
