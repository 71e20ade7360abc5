#include "training/stage_key.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "io/hash.h"
#include "recipe/check.h"

namespace blip3u {

namespace {

constexpr std::size_t key_length = 16;

/// Grows whenever the core trains otherwise than before (objectives, optimiser, random numbers), so that no stage of an
/// older program is taken for one of this.
constexpr int training_version = 2;

std::string describe(const ComponentChoice& choice) {
  std::string text = fmt::format("{} {} {}", kind_name(choice.kind), choice.name, choice.entry.library_hash);
  for (const auto& [name, value] : choice.parameters.values()) {
    text += fmt::format("\n  {}: {}", name, yaml_text(value));
  }
  for (const auto& [name, weight] : choice.loss_weights) text += fmt::format("\n  weight of {}: {}", name, weight);
  return text;
}

std::string describe(const Stage& stage) {
  return fmt::format("stage {} {} [{}] {} {} {} {} {} {} {} {} {}", stage.name, static_cast<int>(stage.objective),
                     fmt::join(stage.train, ", "), stage.steps, stage.batch, stage.learning_rate,
                     stage.final_learning_rate, stage.warmup, stage.weight_decay, stage.gradient_clip,
                     stage.average_decay, stage.word_dropout);
}

// The components that an objective runs.
std::vector<const ComponentChoice*> components_of(Objective objective, const PipelineChoices& pipeline) {
  std::vector<const ComponentChoice*> result;
  const auto add = [&](const std::optional<ComponentChoice>& choice) {
    if (choice) result.push_back(&*choice);
  };
  add(pipeline.encoder);
  if (objective == Objective::decoder) add(pipeline.decoder);
  if (objective == Objective::answer || objective == Objective::generate) add(pipeline.backbone);
  if (objective == Objective::generate) {
    add(pipeline.denoiser);
    add(pipeline.sampler);
  }
  return result;
}

}  // namespace

StageKeys::StageKeys(const Recipe& recipe, const std::string& data_fingerprint, const std::string& vocabulary,
                     const std::string& device)
    : recipe_(recipe),
      common_(fmt::format("{} {}\nseed {}\ndevice {}\ndata {} {}\n{}\nvocabulary {}", BLIP3U_BUILD_STAMP,
                          training_version, recipe.seed, device, recipe.data.entry.library_hash, data_fingerprint,
                          describe(recipe.tokenizer), sha256_text(vocabulary))) {}

std::string StageKeys::after(const std::string& role) const {
  const auto found = trained_by_.find(role);
  return found == trained_by_.end() ? "its initial weights" : found->second;
}

std::string StageKeys::next(const Stage& stage) {
  std::string text = common_ + "\n" + describe(stage);
  if (stage.objective == Objective::generate) text += "\nprompt " + recipe_.prompt_template;
  if (stage.objective == Objective::answer) text += "\nquestion " + recipe_.question_template;
  for (const ComponentChoice* choice : components_of(stage.objective, recipe_.pipeline)) {
    text += "\n" + describe(*choice) + "\nafter " + after(kind_name(choice->kind));
  }
  const std::string key = sha256_text(text).substr(0, key_length);
  for (const std::string& role : stage.train) trained_by_[role] = key;
  return key;
}

std::string StageKeys::run() const {
  StageKeys ahead = *this;
  std::string text = common_;
  for (const Stage& stage : recipe_.stages) text += "\n" + ahead.next(stage);
  return sha256_text(text).substr(0, key_length);
}

std::string StageKeys::features() const {
  return sha256_text(common_ + "\nfeatures\n" + describe(*recipe_.pipeline.encoder) + "\nafter " + after("encoder"))
      .substr(0, key_length);
}

}  // namespace blip3u
