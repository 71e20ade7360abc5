#include "training/stage_key.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "io/hash.h"
#include "recipe/check.h"

namespace blip3u {

namespace {

constexpr std::size_t key_length = 16;
constexpr const char* untrained = "its initial weights";

/// Grows whenever the core trains otherwise than before (objectives, optimiser, random numbers), so that no stage of an
/// older program is taken for one of this.
constexpr int training_version = 5;

/// Steps of a solver and the like, which train nothing.
bool read_after_training(const ComponentChoice& choice, std::string_view name) {
  const ComponentDescriptor* const component = choice.entry.component;
  if (!component) return false;
  return std::ranges::any_of(component->parameters,
                             [&](const auto& spec) { return spec.inference && name == spec.name; });
}

std::string describe(const ComponentChoice& choice) {
  std::string text = fmt::format("{} {} {}", kind_name(choice.kind), choice.name, choice.entry.library_hash);
  for (const auto& [name, unused] : choice.parameters.values()) {
    if (!read_after_training(choice, name)) text += fmt::format("\n  {}: {}", name, identity_text(choice, name));
  }
  if (const auto weights = choice.contents.find("weights"); weights != choice.contents.end()) {
    text += "\n  weights " + weights->second;
  }
  for (const auto& [name, weight] : choice.loss_weights) text += fmt::format("\n  weight of {}: {}", name, weight);
  return text;
}

std::string describe(const Stage& stage) {
  std::string text = "stage";
  for (const StageKey& key : stage_keys()) {
    if (!key.spec.inference) text += fmt::format("\n  {}: {}", key.spec.name, yaml_text(value_of(stage, key)));
  }
  return text;
}

std::string describe(const DataChoice& data, const std::string& fingerprint) {
  std::string text = fmt::format("data {}\n  image_size: {}\n  lanes: {}\n  window: {}", fingerprint, data.image_size,
                                 data.lanes, data.window);
  for (const SourceChoice& source : data.sources) {
    text += fmt::format("\n  source {} {} {}", source.dataset.entry.library_hash, source.weight,
                        fmt::join(source.filter, " "));
  }
  return text;
}

/// The roles of the parts that an objective runs.
std::vector<std::string> roles_of(const Stage& stage, const PipelineChoices& pipeline) {
  if (stage.objective == ObjectiveKind::encoder) return {trained_parts(stage).front().role};
  if (stage.objective == ObjectiveKind::decoder) return {pipeline.decoded(), "decoder"};
  std::vector<std::string> roles = pipeline.understanding;
  roles.emplace_back("backbone");
  const auto learned = learned_links(stage, pipeline);
  for (std::size_t i = 0; i < pipeline.generation.size(); ++i) {
    const LinkChoice& link = pipeline.generation[i];
    const ComponentChoice* const denoiser = pipeline.find(link.denoiser);
    const bool learns = std::ranges::find(learned, i) != learned.end();
    const bool kept = denoiser && denoiser->provides("keep");  // its pictures stay, and decide what is read after them
    const bool read = !learned.empty() && i < learned.back();  // its target makes what a learned link is given
    if (!learns && !kept && !read) continue;
    if (std::ranges::find(roles, link.target) == roles.end()) roles.push_back(link.target);
    if (learns || kept) roles.push_back(link.denoiser);
    if (learns) roles.push_back(link.sampler);
  }
  return roles;
}

}  // namespace

StageKeys::StageKeys(const Recipe& recipe, const std::string& data_fingerprint, const std::string& vocabulary,
                     const std::string& device)
    : recipe_(recipe),
      common_(fmt::format("{} {}\nseed {}\ndevice {}\n{}\n{}\nvocabulary {}", BLIP3U_BUILD_STAMP, training_version,
                          recipe.seed, device, describe(recipe.data, data_fingerprint), describe(recipe.tokenizer),
                          sha256_text(vocabulary))) {}

std::string StageKeys::after(const std::string& role) const {
  const auto found = trained_by_.find(role);
  return found == trained_by_.end() ? untrained : found->second;
}

std::string StageKeys::next(const Stage& stage) {
  std::string text = common_ + "\n" + describe(stage);
  if (stage.objective == ObjectiveKind::conversation) {
    if (stage.image_weight > 0) text += "\nprompt " + recipe_.prompt_template;
    if (stage.text_weight > 0) text += "\nquestion " + recipe_.question_template;
    text += fmt::format("\nwords of links {}", recipe_.pipeline.parts.at("backbone").wiring.extra_words);
  }
  for (const std::string& role : roles_of(stage, recipe_.pipeline)) {
    text += fmt::format("\n{} is {}\nafter {}", role, describe(recipe_.pipeline.parts.at(role)), after(role));
    std::string previous = "nothing";
    for (const LinkChoice& link : recipe_.pipeline.generation) {
      if (link.denoiser == role) text += fmt::format("\nmakes {} after {}", link.target, previous);
      previous = link.target;
    }
  }
  const std::string key = sha256_text(text).substr(0, key_length);
  for (const TrainedPart& part : trained_parts(stage)) trained_by_[part.role] = key;
  return key;
}

std::string StageKeys::run() const {
  StageKeys ahead = *this;
  std::string text = common_;
  for (const Stage& stage : recipe_.stages) text += "\n" + ahead.next(stage);
  return sha256_text(text).substr(0, key_length);
}

std::string StageKeys::features(const std::string& role) const {
  return sha256_text(fmt::format("{} {}\nfeatures of {} at {}\n{}\nafter {}", BLIP3U_BUILD_STAMP, training_version,
                                 role, recipe_.wiring.image_size, describe(recipe_.pipeline.parts.at(role)),
                                 after(role) == untrained ? fmt::format("{} by seed {}", untrained, recipe_.seed)
                                                          : after(role)))
      .substr(0, key_length);
}

std::string training_key(Recipe recipe) {
  recipe.seed = 0;
  return StageKeys(recipe, "", "", "").run();
}

}  // namespace blip3u
