#include "training/objectives.h"

#include <fmt/format.h>

#include "blip3u/error.h"
#include "pipeline/texts.h"
#include "training/common_objective.h"
#include "training/conversation_objective.h"
#include "training/conversations.h"

namespace blip3u {

StageObjective::~StageObjective() = default;

namespace {

class EncoderObjective final : public CommonObjective {
 public:
  using CommonObjective::CommonObjective;

  std::vector<Loss> losses(std::int64_t step) override {
    const auto which = indices(dataset_.size(Split::train), step);
    std::vector<std::vector<std::int64_t>> captions;
    for (const std::int64_t index : which) {
      const std::string& caption = dataset_.example(Split::train, index).caption;
      captions.push_back(caption.empty() ? std::vector<std::int64_t>{} : frame_text(pipeline_.tokenizer(), caption));
    }
    Generator generator = noise(step);
    return pipeline_.encoder().loss({images(which), pad_texts(captions, pipeline_.device())}, generator);
  }
};

class DecoderObjective final : public CommonObjective {
 public:
  DecoderObjective(const Stage& stage, std::uint64_t seed, Pipeline& pipeline, const Dataset& dataset,
                   const FeatureTable& features)
      : CommonObjective(stage, seed, pipeline, dataset), features_(features) {}

  std::vector<Loss> losses(std::int64_t step) override {
    const auto which = indices(dataset_.size(Split::train), step);
    Generator generator = noise(step);
    const Visual features = features_.rows(which);
    const Tensor seen = images(which);
    return pipeline_.decoder().loss({features, seen, generator});
  }

 private:
  const FeatureTable& features_;
};

}  // namespace

void check_stage_data(const Stage& stage, const Dataset& dataset) {
  const auto any_image = [&](const auto& holds) {
    for (std::int64_t i = 0; i < dataset.size(Split::train); ++i) {
      if (holds(i)) return true;
    }
    return false;
  };
  const auto lacks = [&](const char* verb, const char* what, const char* mend) {
    return Error(fmt::format("stage `{}` learns to {}, but {}; {}, or remove the stage", stage.name, verb, what, mend));
  };
  if (dataset.size(Split::train) == 0) {
    throw Error(fmt::format("stage `{}`: the data has no training images; correct the paths in `data`", stage.name));
  }
  if (stage.objective != ObjectiveKind::conversation) return;
  if (stage.text_weight > 0 &&
      !any_image([&](std::int64_t i) { return !dataset.example(Split::train, i).questions.empty(); })) {
    throw lacks("answer", "the data has no questions", "add questions to it, set text_weight: 0");
  }
  if (stage.image_weight > 0 && !any_image([&](std::int64_t i) { return dataset.trains_generation(i); })) {
    throw lacks("make pictures", "no training image has a caption", "add captions to the data, set image_weight: 0");
  }
}

const ComponentChoice& component_with_loss(ObjectiveKind objective, const PipelineChoices& pipeline) {
  switch (objective) {
    case ObjectiveKind::encoder: return *pipeline.encoder;
    case ObjectiveKind::decoder: return *pipeline.decoder;
    case ObjectiveKind::conversation: break;
  }
  return *pipeline.sampler;
}

std::unique_ptr<StageObjective> make_objective(const Stage& stage, std::uint64_t seed, Pipeline& pipeline,
                                               const Dataset& dataset, const FeatureTable* features) {
  switch (stage.objective) {
    case ObjectiveKind::encoder: return std::make_unique<EncoderObjective>(stage, seed, pipeline, dataset);
    case ObjectiveKind::decoder: return std::make_unique<DecoderObjective>(stage, seed, pipeline, dataset, *features);
    case ObjectiveKind::conversation: return make_conversation_objective(stage, seed, pipeline, dataset, features);
  }
  throw Error(Fault::usage, "unknown objective");
}

}  // namespace blip3u
