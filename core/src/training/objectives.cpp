#include "training/objectives.h"

#include <fmt/format.h>

#include <ATen/core/grad_mode.h>

#include "blip3u/error.h"
#include "data/running_moments.h"
#include "pipeline/texts.h"
#include "training/common_objective.h"
#include "training/conversation_objective.h"

namespace blip3u {

StageObjective::~StageObjective() = default;

namespace {

/// Pictures whose features decide the scale, at least.
constexpr std::int64_t measured_pictures = 4096;

bool has_picture(const Sample& sample) { return !sample.images.empty(); }

/// Pictures one by one: a picture of each sample, all of a sample's as likely.
class PictureObjective : public CommonObjective {
 public:
  PictureObjective(const Stage& stage, std::uint64_t seed, Pipeline& pipeline, const TrainingData& data)
      : CommonObjective(stage, seed, pipeline), rows_(data, derive_seed(seed, "order"), stage.batch, has_picture) {}

  std::vector<NamedTensor> position() const override { return rows_.position(); }
  void go_on_from(const std::vector<NamedTensor>& position) override { rows_.go_on_from(position); }

 protected:
  struct Batch {
    std::vector<Tensor> pictures;
    std::vector<std::string> captions;  // empty if unknown
  };
  Batch next(std::int64_t step) {
    Batch batch;
    const std::uint64_t seed = step_seed(step, "picture");
    for (const Sample& sample : rows_.next()) {
      const std::size_t which = derive_seed(seed, batch.pictures.size()) % sample.images.size();
      batch.pictures.push_back(sample.images[which]);
      batch.captions.push_back(which < sample.captions.size() ? sample.captions[which] : "");
    }
    return batch;
  }

 private:
  SampleRows rows_;
};

class EncoderObjective final : public PictureObjective {
 public:
  using PictureObjective::PictureObjective;

  std::vector<Loss> losses(std::int64_t step) override {
    const Batch batch = next(step);
    std::vector<std::vector<std::int64_t>> captions;
    for (const std::string& caption : batch.captions) {
      captions.push_back(caption.empty() ? std::vector<std::int64_t>{} : frame_text(pipeline_.tokenizer(), caption));
    }
    Generator generator = noise(step);
    return pipeline_.encoder().loss({images(batch.pictures), pad_texts(captions, pipeline_.device())}, generator);
  }
};

class DecoderObjective final : public PictureObjective {
 public:
  DecoderObjective(const Stage& stage, std::uint64_t seed, Pipeline& pipeline, const TrainingData& data,
                   Features& features)
      : PictureObjective(stage, seed, pipeline, data), features_(features) {}

  std::vector<Loss> losses(std::int64_t step) override {
    const Batch batch = next(step);
    Generator generator = noise(step);
    const Visual features = features_.of(batch.pictures);
    const Tensor seen = images(batch.pictures);
    return pipeline_.decoder().loss({features, seen, generator});
  }

 private:
  Features& features_;
};

}  // namespace

void check_stage_data(const Stage& stage, const TrainingData& data) {
  const auto require = [&](const std::function<bool(const Sample&)>& accept, const char* what) {
    try {
      data.require(accept);
    } catch (const Error& error) {
      if (error.fault() != Fault::runtime) throw;
      throw Error(fmt::format("stage `{}` learns from {}: {}", stage.name, what, error.what()));
    }
  };
  if (stage.objective != ObjectiveKind::conversation) return require(has_picture, "pictures");
  if (stage.text_weight > 0) require(learns_text, "what the assistant says; set text_weight: 0 if the data have none");
  if (stage.image_weight > 0) {
    require(makes_picture, "pictures that the assistant makes; set image_weight: 0 if the data have none");
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
                                               const TrainingData& data, Features* features) {
  switch (stage.objective) {
    case ObjectiveKind::encoder: return std::make_unique<EncoderObjective>(stage, seed, pipeline, data);
    case ObjectiveKind::decoder: return std::make_unique<DecoderObjective>(stage, seed, pipeline, data, *features);
    case ObjectiveKind::conversation: return make_conversation_objective(stage, seed, pipeline, data, features);
  }
  throw Error(Fault::usage, "unknown objective");
}

void measure_feature_scale(Pipeline& pipeline, const TrainingData& data, Features& features) {
  FeatureScale& scale = pipeline.feature_scale();
  RunningMoments moments(scale.mean.size(0));
  constexpr std::int64_t batch = 64;
  SampleRows rows(data, derive_seed(pipeline.recipe().seed, "feature scale"), batch, makes_picture);
  const at::NoGradGuard no_grad;
  for (std::int64_t pictures = 0; pictures < measured_pictures;) {
    std::vector<Tensor> made;
    for (const Sample& sample : rows.next()) {
      for (const std::int64_t image : made_pictures(sample))
        made.push_back(sample.images[static_cast<std::size_t>(image)]);
    }
    const Visual visual = features.of(made);
    if (!visual.x.defined() || visual.codes.defined()) return;
    moments.add(visual.valid.defined()
                    ? visual.x.flatten(0, 1).index_select(0, visual.valid.flatten().nonzero().squeeze(1))
                    : visual.x);
    pictures += std::ssize(made);
  }
  scale.mean.copy_(moments.mean());
  scale.deviation.copy_(moments.deviation().clamp_min(1e-6));
}

}  // namespace blip3u
