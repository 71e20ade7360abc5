// The schemas of a recipe's own keys, and what a stage may ask for.
#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <type_traits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "recipe/check.h"

namespace blip3u {

namespace {

constexpr double unbounded = std::numeric_limits<double>::infinity();

constexpr ParameterSpec recipe_keys[] = {
    required(text("name", "", "what runs are called: 1 to 100 letters, digits, - and _")),
    integer("seed", 0, 0, std::int64_t{1} << 53, "decides every random number of a run"),
    text("device", "auto", "auto, cpu, cuda or cuda:N"),
    text("output", "runs", "folder for run directories, relative to the current directory"),
    inference(integer("inference_batch", 64, 1, 1'000'000, "questions and pictures that are worked on at once")),
    texts("plugin_folders", "", "folders with further plugin libraries, relative to the current directory"),
};

constexpr ParameterSpec template_keys[] = {
    text("prompt", "{prompt}", "what the backbone reads when an image is to be made; contains {prompt}"),
    text("question", "{question}", "what the backbone reads when a question is asked; contains {question}"),
};

constexpr const char* objectives[] = {"encoder", "decoder", "conversation"};

constexpr StageKey keys_of_stages[] = {
    {required(text("name", "", "what the stage is called: 1 to 100 letters, digits, - and _")), &Stage::name},
    {required(text("objective", "", "what is learned: encoder, decoder or conversation", objectives)),
     &Stage::objective},
    {required(texts("train", "",
                    "the parts that learn, such as [encoder], or some weights of one, such as ['backbone:blocks.*']")),
     &Stage::train},
    {required(integer("steps", 0, 1, 1'000'000'000, "number of optimiser steps")), &Stage::steps},
    {integer("batch", 64, 1, 1'000'000, "examples in each step"), &Stage::batch},
    {number("learning_rate", 1e-3, 0, unbounded, "the highest learning rate"), &Stage::learning_rate},
    {number("final_learning_rate", 0.05, 0, 1, "the last learning rate as a share of the highest"),
     &Stage::final_learning_rate},
    {number("warmup", 0.05, 0, 1, "share of the steps over which the rate rises"), &Stage::warmup},
    {number("weight_decay", 0.01, 0, unbounded, "AdamW's decay of weights"), &Stage::weight_decay},
    {number("gradient_clip", 1, 0, unbounded, "largest global norm of the gradient; 0: off"), &Stage::gradient_clip},
    {number("average_decay", 0, 0, 0.999999, "decay of the moving average of weights that is kept; 0: off"),
     &Stage::average_decay},
    {number("text_weight", 1, 0, unbounded, "of the assistant's words in the loss of a conversation; 0: not learned"),
     &Stage::text_weight},
    {number("image_weight", 1, 0, unbounded,
            "of the assistant's pictures in the loss of a conversation; 0: not learned"),
     &Stage::image_weight},
    {number("image_share", 0, 0, 1,
            "share of a batch that makes pictures, where texts are learned too; 0: as the data have them"),
     &Stage::image_share},
    {number("dropout", 0.1, 0, 1, "share of pictures that are learned without what was said, so that guidance works"),
     &Stage::dropout},
    {number("text_dropout", 0, 0, 1, "share of pictures that are learned without the texts before them"),
     &Stage::text_dropout},
    {number("image_dropout", 0, 0, 1, "share of pictures that are learned without the pictures before them"),
     &Stage::image_dropout},
    {number("word_dropout", 0, 0, 1, "share of the words of prompts of pictures that are left out"),
     &Stage::word_dropout},
    {texts("filter", "", "what the labels of samples must be that it learns from: label=value or label!=value"),
     &Stage::filter},
    {integer("parts", 1, 1, 1024, "into how many parts a batch is cut that a CPU's cores work out at once, one each"),
     &Stage::parts},
    {inference(integer("checkpoint_every", 200, 1, 1'000'000'000, "steps between checkpoints")),
     &Stage::checkpoint_every},
};

/// What an objective runs, and which of that it may train.
struct ObjectiveRule {
  ObjectiveKind objective;
  std::vector<Kind> needs;
  std::vector<Kind> trainable;
};

const ObjectiveRule& rule_of(const std::string& name) {
  static const ObjectiveRule rules[] = {
      {ObjectiveKind::encoder, {Kind::encoder}, {Kind::encoder}},
      {ObjectiveKind::decoder, {Kind::encoder, Kind::decoder}, {Kind::decoder}},
      {ObjectiveKind::conversation, {Kind::encoder, Kind::backbone}, {Kind::encoder, Kind::backbone, Kind::denoiser}},
  };
  return *std::find_if(std::begin(rules), std::end(rules),
                       [&](const ObjectiveRule& rule) { return name == objective_name(rule.objective); });
}

TrainedPart trained_part(const std::string& text) {
  const auto colon = text.find(':');
  return colon == std::string::npos ? TrainedPart{text} : TrainedPart{text.substr(0, colon), text.substr(colon + 1)};
}

/// The roles of a pipeline's parts of one kind.
std::vector<std::string> roles_of(Kind kind, const PipelineChoices& pipeline) {
  std::vector<std::string> roles = pipeline.roles();
  std::erase_if(roles, [&](const std::string& role) { return pipeline.find(role)->kind != kind; });
  return roles;
}

bool trains_denoiser(const Stage& stage, const PipelineChoices& pipeline) {
  const auto roles = roles_of(Kind::denoiser, pipeline);
  return std::ranges::any_of(roles, [&](const std::string& role) { return trains(stage, role); });
}

void check_needs(const ObjectiveRule& rule, const Position& where, const PipelineChoices& pipeline,
                 Diagnostics& diagnostics) {
  std::vector<std::string> names;
  for (const Kind need : rule.needs) names.emplace_back(kind_name(need));
  for (const Kind need : rule.needs) {
    if (!roles_of(need, pipeline).empty()) continue;
    diagnostics.add(where,
                    fmt::format("objective `{}` runs {}, but this pipeline has no {}; add one, or remove the stage",
                                objective_name(rule.objective), fmt::join(names, ", "), kind_name(need)));
  }
}

void check_roles(const ObjectiveRule& rule, const Node& train, const PipelineChoices& pipeline,
                 Diagnostics& diagnostics) {
  std::vector<std::string> trainable;
  for (const Kind kind : rule.trainable) {
    std::vector<std::string> roles = roles_of(kind, pipeline);
    if (roles.empty()) roles.emplace_back(kind_name(kind));  // that it is missing is said elsewhere
    trainable.insert(trainable.end(), roles.begin(), roles.end());
  }
  const std::string possible =
      fmt::format("objective `{}` can train {}", objective_name(rule.objective), fmt::join(trainable, ", "));
  if (train.items.empty()) diagnostics.add(train.position, fmt::format("`train` names no part; {}", possible));
  std::set<std::string> seen, roles;
  for (const Node& part : train.items) {
    const TrainedPart trained = trained_part(part.text);
    if (!seen.insert(part.text).second) {
      diagnostics.add(part.position, fmt::format("`train` names {} twice; remove one", in_ticks(part.text)));
    } else if (std::ranges::find(trainable, trained.role) == trainable.end()) {
      diagnostics.add(part.position, fmt::format("{} does not learn here; {}", in_ticks(trained.role), possible));
    } else if (trained.pattern.empty()) {
      diagnostics.add(part.position, fmt::format("no pattern after {}: name weights, such as `{}:blocks.*`, or leave "
                                                 "the colon out",
                                                 in_ticks(part.text), trained.role));
    } else if (roles.insert(trained.role); rule.objective == ObjectiveKind::encoder && roles.size() == 2) {
      diagnostics.add(part.position, "objective `encoder` trains one encoder; give each a stage of its own");
    }
  }
}

/// What pictures need that a stage learns to make.
void check_links(const Stage& stage, const Position& where, const PipelineChoices& pipeline, Diagnostics& diagnostics) {
  std::set<std::string> targets;
  for (const std::size_t link : learned_links(stage, pipeline)) targets.insert(pipeline.generation[link].target);
  for (const std::string& target : targets) {
    if (!trains(stage, target)) continue;
    diagnostics.add(where, fmt::format("`{}` makes what pictures are learned from, and must stand still; set "
                                       "`image_weight: 0`, or do not train it",
                                       target));
  }
  // Of a link in a list that a part is missing is said there.
  const LinkChoice first = pipeline.generation.empty() ? LinkChoice() : pipeline.generation.front();
  for (const auto& [role, kind] : {std::pair(first.denoiser, "denoiser"), std::pair(first.sampler, "sampler")}) {
    if (!role.empty() || !first.place.empty()) continue;
    diagnostics.add(where, fmt::format("pictures are made with a {0}, but this pipeline has no {0}; add one, or set "
                                       "`image_weight: 0`",
                                       kind));
  }
}

/// What the weights of texts and pictures demand of the other keys.
void check_conversation(const Stage& stage, const Node& node, const PipelineChoices& pipeline,
                        Diagnostics& diagnostics) {
  if (stage.objective != ObjectiveKind::conversation) {
    constexpr std::string_view conversations[] = {"text_weight",  "image_weight",  "image_share", "dropout",
                                                  "text_dropout", "image_dropout", "word_dropout"};
    for (const StageKey& key : keys_of_stages) {
      const bool used = value_of(stage, key) != default_value(key.spec);  // a resolved recipe has all keys
      if (!used || std::ranges::find(conversations, key.spec.name) == std::end(conversations)) continue;
      diagnostics.add(node.value(key.spec.name)->position,
                      fmt::format("`{}` is of conversations, which objective `{}` does not learn; remove it",
                                  key.spec.name, objective_name(stage.objective)));
    }
    return;
  }
  const Position& where = node.value("objective")->position;
  if (stage.dropout + stage.text_dropout + stage.image_dropout > 1) {
    diagnostics.add(where, "`dropout`, `text_dropout` and `image_dropout` together exceed 1; lower one");
  }
  if (stage.image_weight > 0) return check_links(stage, where, pipeline, diagnostics);
  if (stage.text_weight == 0) {
    diagnostics.add(where, "`text_weight` and `image_weight` are both 0, so that nothing is learned; raise one");
  }
  for (const std::string& role : roles_of(Kind::denoiser, pipeline)) {
    if (!trains(stage, role)) continue;
    diagnostics.add(
        where, fmt::format("`{}` learns from pictures, but `image_weight` is 0; raise it, or do not train it", role));
  }
}

Stage check_stage(const Node& node, const PipelineChoices& pipeline, Diagnostics& diagnostics) {
  const CheckedMap checked = check_map(node, node.position, "the stage", stage_schema(), {}, diagnostics);
  const Parameters& keys = checked.parameters;
  Stage stage;
  for (const StageKey& key : keys_of_stages) {
    const ParameterValue& value = keys.values().find(key.spec.name)->second;
    std::visit(
        [&]<class T>(T Stage::*member) {
          if constexpr (!std::is_same_v<T, ObjectiveKind>) stage.*member = std::get<T>(value);
        },
        key.member);
  }
  // From an objective or a list of parts that is wrong, and has been reported, nothing follows.
  if (keys.text("objective").empty()) return stage;
  const ObjectiveRule& rule = rule_of(keys.text("objective"));
  stage.objective = rule.objective;
  check_filter(node, stage.filter, diagnostics);
  if (stage.objective == ObjectiveKind::encoder && stage.parts > 1) {
    diagnostics.add(node.value("parts")->position,
                    "objective `encoder` compares all pictures of a batch, which cannot be cut; remove `parts`");
  }
  check_conversation(stage, node, pipeline, diagnostics);
  check_needs(rule, node.value("objective")->position, pipeline, diagnostics);
  const Node* train = node.value("train");
  const bool readable = train && train->is(Node::Type::list) && train->items.size() == stage.train.size();
  if (readable) check_roles(rule, *train, pipeline, diagnostics);
  return stage;
}

}  // namespace

bool TrainedPart::holds(const std::string& weight) const { return fnmatch(pattern.c_str(), weight.c_str(), 0) == 0; }

std::vector<TrainedPart> trained_parts(const Stage& stage) {
  std::vector<TrainedPart> parts;
  for (const std::string& text : stage.train) parts.push_back(trained_part(text));
  return parts;
}

bool trains(const Stage& stage, std::string_view role) {
  return std::ranges::any_of(trained_parts(stage), [&](const TrainedPart& part) { return part.role == role; });
}

std::vector<std::size_t> learned_links(const Stage& stage, const PipelineChoices& pipeline) {
  std::vector<std::size_t> result;
  if (stage.objective != ObjectiveKind::conversation || stage.image_weight <= 0) return result;
  const bool some = trains_denoiser(stage, pipeline);
  for (std::size_t i = 0; i < pipeline.generation.size(); ++i) {
    if (!some || trains(stage, pipeline.generation[i].denoiser)) result.push_back(i);
  }
  return result;
}

std::span<const ParameterSpec> recipe_schema() { return recipe_keys; }
std::span<const ParameterSpec> template_schema() { return template_keys; }
std::span<const StageKey> stage_keys() { return keys_of_stages; }

std::span<const ParameterSpec> stage_schema() {
  static constexpr auto schema = [] {
    std::array<ParameterSpec, std::size(keys_of_stages)> result{};
    for (std::size_t i = 0; i < result.size(); ++i) result[i] = keys_of_stages[i].spec;
    return result;
  }();
  return schema;
}

ParameterValue value_of(const Stage& stage, const StageKey& key) {
  return std::visit(
      [&]<class T>(T Stage::*member) -> ParameterValue {
        if constexpr (std::is_same_v<T, ObjectiveKind>) {
          return std::string(objective_name(stage.*member));
        } else {
          return stage.*member;
        }
      },
      key.member);
}

const char* objective_name(ObjectiveKind objective) {
  switch (objective) {
    case ObjectiveKind::encoder: return "encoder";
    case ObjectiveKind::decoder: return "decoder";
    case ObjectiveKind::conversation: return "conversation";
  }
  return "";
}

std::vector<Stage> check_stages(const Node& list, const PipelineChoices& pipeline, Diagnostics& diagnostics) {
  std::vector<Stage> stages;
  if (!list.is(Node::Type::list)) expected(list, "training", "a list of stages, [] for none", diagnostics);
  std::map<std::string, Position> names;
  for (const Node& node : list.items) {
    if (!node.is(Node::Type::map)) {
      expected(node, "training", "a list of stages, each a map", diagnostics);
      continue;
    }
    stages.push_back(check_stage(node, pipeline, diagnostics));
    const Node* name = node.value("name");
    if (!name || !name->is(Node::Type::scalar)) continue;
    if (!is_plain_name(name->text)) {
      diagnostics.add(name->position, fmt::format("`name` must be {}, is {}", plain_name_form, in_ticks(name->text)));
    } else if (const auto [first, fresh] = names.emplace(name->text, name->position); !fresh) {
      diagnostics.add(name->position,
                      fmt::format("a second stage named {}; give each its own name", in_ticks(name->text)));
    }
  }
  return stages;
}

}  // namespace blip3u
