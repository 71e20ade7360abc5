#include "training/objectives.h"

#include <set>
#include <utility>

#include <fmt/format.h>

#include <ATen/core/grad_mode.h>

#include "blip3u/error.h"
#include "data/running_moments.h"
#include "pipeline/texts.h"
#include "training/common_objective.h"
#include "training/conversation_objective.h"

namespace blip3u {

StageObjective::~StageObjective() = default;

void CommonObjective::after_step(std::int64_t step) {
  std::set<std::string> roles;
  for (const TrainedPart& part : trained_parts(stage_)) roles.insert(part.role);
  for (const std::string& role : roles) {
    Component* const component = pipeline_.part(role);
    Generator generator = Generator::for_rows(derive_seed(step_seed(step, "after step"), role), 0, stage_.batch);
    if (auto* const encoder = dynamic_cast<Encoder*>(component)) encoder->after_step(generator);
    if (auto* const able = dynamic_cast<AfterStep*>(component)) able->after_step(generator);
  }
}

Term CommonObjective::term(Loss loss, const std::string& role, const std::string& prefix, double factor) const {
  const ComponentChoice& choice = pipeline_.recipe().pipeline.parts.at(role);
  const auto weight = choice.loss_weights.find(loss.name);
  if (weight == choice.loss_weights.end()) {
    throw Error(Fault::plugin, fmt::format("{}: {} `{}` returned a loss `{}` that its descriptor does not declare; add "
                                           "it to `losses` there",
                                           choice.entry.library_path, kind_name(choice.kind), choice.name, loss.name));
  }
  loss.name = prefix + loss.name;
  return {std::move(loss), weight->second * factor};
}

namespace {

/// Pictures whose features decide the scale, at least.
constexpr std::int64_t measured_pictures = 4096;

bool has_picture(const Sample& sample) { return !sample.images.empty(); }

/// Pictures one by one: a picture of each sample, all of a sample's as likely.
class PictureObjective : public CommonObjective {
 public:
  PictureObjective(const Stage& stage, std::uint64_t seed, Pipeline& pipeline, const TrainingData& data)
      : CommonObjective(stage, seed, pipeline),
        rows_(data, derive_seed(seed, "order"), stage.batch,
              [filter = stage.filter](const Sample& sample) { return meets(sample, filter) && has_picture(sample); }) {}

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
  EncoderObjective(const Stage& stage, std::uint64_t seed, Pipeline& pipeline, const TrainingData& data)
      : PictureObjective(stage, seed, pipeline, data), role_(trained_parts(stage).front().role) {}

  std::vector<LossPart> losses(std::int64_t step) override {
    return {[this, batch = next(step), step] { return terms(batch, step); }};
  }

 private:
  std::vector<Term> terms(const Batch& batch, std::int64_t step) const {
    std::vector<std::vector<std::int64_t>> captions;
    for (const std::string& caption : batch.captions) {
      captions.push_back(caption.empty() ? std::vector<std::int64_t>{} : frame_text(pipeline_.tokenizer(), caption));
    }
    Generator generator = noise(step, 0, stage_.batch);
    auto& encoder = dynamic_cast<Encoder&>(*pipeline_.part(role_));
    std::vector<Term> terms;
    for (Loss& loss : encoder.loss({images(batch.pictures), pad_texts(captions, pipeline_.device())}, generator)) {
      terms.push_back(term(std::move(loss), role_));
    }
    return terms;
  }

  const std::string role_;
};

class DecoderObjective final : public PictureObjective {
 public:
  DecoderObjective(const Stage& stage, std::uint64_t seed, Pipeline& pipeline, const TrainingData& data,
                   Features& features)
      : PictureObjective(stage, seed, pipeline, data), features_(features) {}

  std::vector<LossPart> losses(std::int64_t step) override {
    const Batch batch = next(step);
    std::vector<LossPart> parts;
    for (std::int64_t part = 0; part < stage_.parts; ++part) {
      const std::int64_t first = stage_.batch * part / stage_.parts, end = stage_.batch * (part + 1) / stage_.parts;
      if (first == end) continue;
      parts.push_back([=, this, pictures = std::vector(batch.pictures.begin() + first, batch.pictures.begin() + end)] {
        return terms(pictures, noise(step, first, end - first));
      });
    }
    return parts;
  }

 private:
  std::vector<Term> terms(const std::vector<Tensor>& pictures, Generator generator) const {
    const Visual features = features_.of(pictures);
    const Tensor seen = images(pictures);
    std::vector<Term> terms;
    for (Loss& loss : pipeline_.decoder().loss({features, seen, generator})) {
      terms.push_back(term(std::move(loss), "decoder"));
    }
    return terms;
  }

  Features& features_;
};

}  // namespace

void check_stage_data(const Stage& stage, const TrainingData& data) {
  const auto require = [&](const std::function<bool(const Sample&)>& accept, const char* what) {
    try {
      data.require([&](const Sample& sample) { return meets(sample, stage.filter) && accept(sample); });
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

std::unique_ptr<StageObjective> make_objective(const Stage& stage, std::uint64_t seed, Pipeline& pipeline,
                                               const TrainingData& data, FeatureTable& features) {
  switch (stage.objective) {
    case ObjectiveKind::encoder: return std::make_unique<EncoderObjective>(stage, seed, pipeline, data);
    case ObjectiveKind::decoder:
      return std::make_unique<DecoderObjective>(stage, seed, pipeline, data,
                                                features.at(pipeline.recipe().pipeline.decoded()));
    case ObjectiveKind::conversation: return make_conversation_objective(stage, seed, pipeline, data, features);
  }
  throw Error(Fault::usage, "unknown objective");
}

void measure_feature_scale(const Link& link, std::uint64_t seed, const TrainingData& data, Features& features) {
  const FeatureScale& scale = link.scale;
  RunningMoments moments(scale.mean.size(0));
  constexpr std::int64_t batch = 64;
  SampleRows rows(data, derive_seed(seed, "feature scale"), batch, makes_picture);
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
