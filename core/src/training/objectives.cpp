#include "training/objectives.h"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "blip3u/error.h"
#include "pipeline/texts.h"

namespace blip3u {

StageObjective::~StageObjective() = default;

namespace {

class Common : public StageObjective {
 public:
  Common(const Stage& stage, std::uint64_t seed, Pipeline& pipeline, const Dataset& dataset)
      : stage_(stage), seed_(seed), pipeline_(pipeline), dataset_(dataset) {}

  void after_step(std::int64_t step) override {
    if (std::ranges::find(stage_.train, "encoder") == stage_.train.end()) return;
    Generator generator = noise(step, "after step");
    pipeline_.encoder().after_step(generator);
  }

 protected:
  std::vector<std::int64_t> indices(std::int64_t size, std::int64_t step) {
    return order_.batch(derive_seed(seed_, "order"), size, stage_.batch, step);
  }
  Generator noise(std::int64_t step, const char* purpose = "noise") const {
    return Generator::for_rows(derive_seed(derive_seed(seed_, purpose), static_cast<std::uint64_t>(step)), 0,
                               stage_.batch);
  }
  Tensor images(const std::vector<std::int64_t>& which) const {
    return load_images(dataset_, Split::train, which, pipeline_.device());
  }

  const Stage stage_;
  const std::uint64_t seed_;
  Pipeline& pipeline_;
  const Dataset& dataset_;

 private:
  ShuffledOrder order_;
};

class EncoderObjective final : public Common {
 public:
  using Common::Common;

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

class DecoderObjective final : public Common {
 public:
  DecoderObjective(const Stage& stage, std::uint64_t seed, Pipeline& pipeline, const Dataset& dataset,
                   const FeatureTable& features)
      : Common(stage, seed, pipeline, dataset), features_(features) {}

  std::vector<Loss> losses(std::int64_t step) override {
    const auto which = indices(dataset_.size(Split::train), step);
    Generator generator = noise(step);
    return pipeline_.decoder().loss(features_.rows(which), images(which), generator);
  }

 private:
  const FeatureTable& features_;
};

/// Next-token cross-entropy on the answers, given the picture as one block and the question.
class AnswerObjective final : public Common {
 public:
  AnswerObjective(const Stage& stage, std::uint64_t seed, Pipeline& pipeline, const Dataset& dataset,
                  const FeatureTable* features)
      : Common(stage, seed, pipeline, dataset), features_(features) {
    for (std::int64_t image = 0; image < dataset.size(Split::train); ++image) {
      for (const Question& question : dataset.example(Split::train, image).questions) {
        Item item{image,
                  frame_text(pipeline.tokenizer(),
                             fill_template(pipeline.recipe().question_template, "{question}", question.text)),
                  0};
        item.asked = item.ids.size();
        const std::vector<std::int64_t> answer = pipeline.tokenizer().encode(question.answer);
        item.ids.insert(item.ids.end(), answer.begin(), answer.end());
        item.ids.push_back(pipeline.tokenizer().frame().end);
        items_.push_back(std::move(item));
      }
    }
  }

  std::vector<Loss> losses(std::int64_t step) override {
    std::vector<std::int64_t> which;
    std::vector<std::vector<std::int64_t>> inputs;
    std::vector<std::int64_t> places, targets;  // flat places in [B,T] whose next token is part of an answer
    const auto chosen = indices(static_cast<std::int64_t>(items_.size()), step);
    std::size_t longest = 0;
    for (const std::int64_t index : chosen) longest = std::max(longest, items_[index].ids.size() - 1);
    for (const std::int64_t index : chosen) {
      const Item& item = items_[index];
      const auto row = static_cast<std::int64_t>(inputs.size() * longest);
      which.push_back(item.image);
      inputs.emplace_back(item.ids.begin(), item.ids.end() - 1);
      for (std::size_t place = item.asked - 1; place + 1 < item.ids.size(); ++place) {
        places.push_back(row + static_cast<std::int64_t>(place));
        targets.push_back(item.ids[place + 1]);
      }
    }
    Backbone& backbone = pipeline_.backbone();
    const auto session = pipeline_.see(features_ ? features_->rows(which) : pipeline_.encoder().encode(images(which)));
    const TextBatch text = pad_texts(inputs, pipeline_.device());
    const Tensor hidden = session->append({.embeds = backbone.embed(text.ids), .valid = text.valid});
    const Tensor asked = hidden.flatten(0, 1).index_select(0, at::tensor(places, at::kLong).to(pipeline_.device()));
    const Tensor logits = backbone.logits(asked.unsqueeze(0)).squeeze(0);
    const Tensor expected = at::tensor(targets, at::kLong).to(pipeline_.device());
    return {{"answer", at::cross_entropy_loss(logits, expected, {}, at::Reduction::Sum),
             at::full({}, static_cast<double>(targets.size()), logits.options().requires_grad(false))}};
  }

 private:
  struct Item {
    std::int64_t image;
    std::vector<std::int64_t> ids;
    std::size_t asked;  // length of the question; what follows is the answer
  };
  std::vector<Item> items_;
  const FeatureTable* features_;
};

/// The sampler's objective on scaled features, under prompts that the backbone has read.
class GenerateObjective final : public Common {
 public:
  GenerateObjective(const Stage& stage, std::uint64_t seed, Pipeline& pipeline, const Dataset& dataset,
                    const FeatureTable& features)
      : Common(stage, seed, pipeline, dataset), features_(features) {
    for (std::int64_t i = 0; i < dataset.size(Split::train); ++i) {
      if (dataset.trains_generation(i)) usable_.push_back(i);
    }
    if (features.all().x.defined() && !features.all().codes.defined()) {
      const at::NoGradGuard no_grad;
      // Held-out pictures lend nothing to generation.
      const Tensor flat = features.all().x.index_select(0, at::tensor(usable_, at::kLong)).flatten(0, 1);
      FeatureScale& scale = pipeline.feature_scale();
      scale.mean.copy_(flat.mean(0));
      scale.deviation.copy_(flat.std(0, /*unbiased=*/false).clamp_min(1e-6));
    }
  }

  std::vector<Loss> losses(std::int64_t step) override {
    std::vector<std::int64_t> which;
    for (const std::int64_t place : indices(static_cast<std::int64_t>(usable_.size()), step)) {
      which.push_back(usable_[place]);
    }
    Generator choice = noise(step, "condition dropout");
    const Tensor kept = choice.uniform({1}, at::kCPU).flatten().ge(pipeline_.sampler().condition_dropout());
    std::vector<std::string> prompts;
    for (std::size_t i = 0; i < which.size(); ++i) {
      const bool keep = kept.data_ptr<bool>()[i];
      prompts.push_back(keep ? dataset_.example(Split::train, which[i]).caption : std::string());
    }
    if (stage_.word_dropout > 0) drop_words(prompts, step);
    const auto context = pipeline_.read_prompts(prompts);
    const Condition condition = pipeline_.denoiser().prepare(*context);
    Visual target = features_.rows(which);
    if (!target.codes.defined()) {
      target.x = (target.x - pipeline_.feature_scale().mean) / pipeline_.feature_scale().deviation;
    }
    Generator generator = noise(step);
    return pipeline_.sampler().loss(pipeline_.denoiser(), target, condition, generator);
  }

 private:
  // Leaves each word out with the same probability, so that no word's meaning leans on the others.
  void drop_words(std::vector<std::string>& prompts, std::int64_t step) const {
    constexpr std::int64_t most_words = 64;  // that can be left out; further ones stay
    Generator choice = noise(step, "word dropout");
    const Tensor kept = choice.uniform({most_words}, at::kCPU).ge(stage_.word_dropout);
    const bool* keep = kept.data_ptr<bool>();
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      std::istringstream words(prompts[i]);
      std::string left;
      std::int64_t place = 0;
      for (std::string word; words >> word; ++place) {
        if (place < most_words && !keep[static_cast<std::int64_t>(i) * most_words + place]) continue;
        left += (left.empty() ? "" : " ") + word;
      }
      prompts[i] = left;
    }
  }

  const FeatureTable& features_;
  std::vector<std::int64_t> usable_;
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
  if (stage.objective == Objective::answer &&
      !any_image([&](std::int64_t i) { return !dataset.example(Split::train, i).questions.empty(); })) {
    throw lacks("answer", "the data has no questions", "add questions to it");
  }
  if (stage.objective == Objective::generate &&
      !any_image([&](std::int64_t i) { return dataset.trains_generation(i); })) {
    throw lacks("generate", "no training image has a caption", "add captions to the data");
  }
}

const ComponentChoice* component_with_loss(Objective objective, const PipelineChoices& pipeline) {
  const auto chosen = [](const std::optional<ComponentChoice>& choice) { return choice ? &*choice : nullptr; };
  switch (objective) {
    case Objective::encoder: return chosen(pipeline.encoder);
    case Objective::decoder: return chosen(pipeline.decoder);
    case Objective::answer: return nullptr;
    case Objective::generate: return chosen(pipeline.sampler);
  }
  return nullptr;
}

std::unique_ptr<StageObjective> make_objective(const Stage& stage, std::uint64_t seed, Pipeline& pipeline,
                                               const Dataset& dataset, const FeatureTable* features) {
  switch (stage.objective) {
    case Objective::encoder: return std::make_unique<EncoderObjective>(stage, seed, pipeline, dataset);
    case Objective::decoder: return std::make_unique<DecoderObjective>(stage, seed, pipeline, dataset, *features);
    case Objective::answer: return std::make_unique<AnswerObjective>(stage, seed, pipeline, dataset, features);
    case Objective::generate: return std::make_unique<GenerateObjective>(stage, seed, pipeline, dataset, *features);
  }
  throw Error(Fault::usage, "unknown objective");
}

}  // namespace blip3u
