// The objective `conversation`: what the assistant says and the pictures that it makes.
#pragma once

#include <memory>

#include "training/objectives.h"

namespace blip3u {

/// Cross-entropy of the assistant's texts, and the sampler's loss on its pictures, each given all that came before.
/// `features` is null where the encoder itself learns. Sets the pipeline's feature scale if pictures are made.
std::unique_ptr<StageObjective> make_conversation_objective(const Stage& stage, std::uint64_t seed, Pipeline& pipeline,
                                                            const Dataset& dataset, const FeatureTable* features);

}  // namespace blip3u
