// The objective `conversation`: what the assistant says, and the pictures that it makes.
#pragma once

#include <memory>

#include "training/objectives.h"

namespace blip3u {

bool learns_text(const Sample& sample);                         ///< a text of it has weight
bool makes_picture(const Sample& sample);                       ///< a picture of it has weight
std::vector<std::int64_t> made_pictures(const Sample& sample);  ///< the images of it that have weight, in their order

std::unique_ptr<StageObjective> make_conversation_objective(const Stage& stage, std::uint64_t seed, Pipeline& pipeline,
                                                            const TrainingData& data, FeatureTable& features);

}  // namespace blip3u
