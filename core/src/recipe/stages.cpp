// The schemas of a recipe's own keys, and what a stage may ask for.
#include <algorithm>
#include <map>
#include <set>

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
    texts("plugin_folders", "", "folders with further plugin libraries, relative to the current directory"),
};

constexpr ParameterSpec template_keys[] = {
    text("prompt", "{prompt}", "what the backbone reads when an image is to be made; contains {prompt}"),
    text("question", "{question}", "what the backbone reads when a question is asked; contains {question}"),
};

constexpr const char* objectives[] = {"encoder", "decoder", "answer", "generate"};
constexpr const char* roles[] = {"encoder", "decoder", "backbone", "denoiser"};

constexpr ParameterSpec stage_keys[] = {
    required(text("name", "", "what the stage is called: 1 to 100 letters, digits, - and _")),
    required(text("objective", "", "what is learned: encoder, decoder, answer or generate", objectives)),
    required(texts("train", "", "the parts that learn, such as [encoder]", roles)),
    required(integer("steps", 0, 1, 1'000'000'000, "number of optimiser steps")),
    integer("batch", 64, 1, 1'000'000, "examples in each step"),
    number("learning_rate", 1e-3, 0, unbounded, "the highest learning rate"),
    number("final_learning_rate", 0.05, 0, 1, "the last learning rate as a share of the highest"),
    number("warmup", 0.05, 0, 1, "share of the steps over which the rate rises"),
    number("weight_decay", 0.01, 0, unbounded, "AdamW's decay of weights"),
    number("gradient_clip", 1, 0, unbounded, "largest global norm of the gradient; 0: off"),
    number("average_decay", 0, 0, 0.999999, "decay of the moving average of weights that is kept; 0: off"),
    number("word_dropout", 0, 0, 1, "share of the words of prompts that objective generate leaves out"),
    integer("checkpoint_every", 200, 1, 1'000'000'000, "steps between checkpoints"),
};

/// What an objective runs, and which of that it may train.
struct ObjectiveRule {
  Objective objective;
  std::vector<std::string> needs;
  std::vector<std::string> trainable;
};

const ObjectiveRule& rule_of(const std::string& name) {
  static const ObjectiveRule rules[] = {
      {Objective::encoder, {"encoder"}, {"encoder"}},
      {Objective::decoder, {"encoder", "decoder"}, {"decoder"}},
      {Objective::answer, {"encoder", "backbone"}, {"encoder", "backbone"}},
      {Objective::generate, {"encoder", "backbone", "denoiser", "sampler"}, {"backbone", "denoiser"}},
  };
  return *std::find_if(std::begin(rules), std::end(rules),
                       [&](const ObjectiveRule& rule) { return name == objective_name(rule.objective); });
}

bool has_part(const Node* pipeline, const std::string& part) {
  const Node* node = pipeline ? pipeline->value(part) : nullptr;
  return node && !node->is(Node::Type::null);
}

void check_needs(const ObjectiveRule& rule, const Position& where, const Node* pipeline, Diagnostics& diagnostics) {
  for (const std::string& need : rule.needs) {
    if (has_part(pipeline, need)) continue;
    diagnostics.add(where,
                    fmt::format("objective `{}` runs {}, but this pipeline has no {}; add one, or remove the stage",
                                objective_name(rule.objective), fmt::join(rule.needs, ", "), need));
  }
}

void check_roles(const ObjectiveRule& rule, const Node& train, Diagnostics& diagnostics) {
  const std::string possible =
      fmt::format("objective `{}` can train {}", objective_name(rule.objective), fmt::join(rule.trainable, ", "));
  if (train.items.empty()) diagnostics.add(train.position, fmt::format("`train` names no part; {}", possible));
  std::set<std::string> seen;
  for (const Node& role : train.items) {
    if (!seen.insert(role.text).second) {
      diagnostics.add(role.position, fmt::format("`train` names `{}` twice; remove one", role.text));
    } else if (std::find(rule.trainable.begin(), rule.trainable.end(), role.text) == rule.trainable.end()) {
      diagnostics.add(role.position, fmt::format("`{}` does not learn here; {}", role.text, possible));
    }
  }
}

Stage check_stage(const Node& node, const Node* pipeline, Diagnostics& diagnostics) {
  const CheckedMap checked = check_map(node, node.position, "the stage", stage_keys, {}, diagnostics);
  const Parameters& keys = checked.parameters;
  Stage stage{.name = keys.text("name"),
              .objective = Objective::encoder,
              .train = keys.texts("train"),
              .steps = keys.integer("steps"),
              .batch = keys.integer("batch"),
              .learning_rate = keys.number("learning_rate"),
              .final_learning_rate = keys.number("final_learning_rate"),
              .warmup = keys.number("warmup"),
              .weight_decay = keys.number("weight_decay"),
              .gradient_clip = keys.number("gradient_clip"),
              .average_decay = keys.number("average_decay"),
              .word_dropout = keys.number("word_dropout"),
              .checkpoint_every = keys.integer("checkpoint_every")};
  // From an objective or a list of parts that is wrong, and has been reported, nothing follows.
  if (keys.text("objective").empty()) return stage;
  const ObjectiveRule& rule = rule_of(keys.text("objective"));
  stage.objective = rule.objective;
  if (stage.word_dropout > 0 && stage.objective != Objective::generate) {
    diagnostics.add(
        node.value("word_dropout")->position,
        fmt::format("`word_dropout` leaves words out of prompts, which objective `{}` has none of; remove it",
                    objective_name(stage.objective)));
  }
  check_needs(rule, node.value("objective")->position, pipeline, diagnostics);
  const Node* train = node.value("train");
  const bool readable = train && train->is(Node::Type::list) && train->items.size() == stage.train.size();
  if (readable) check_roles(rule, *train, diagnostics);
  return stage;
}

}  // namespace

std::span<const ParameterSpec> recipe_schema() { return recipe_keys; }
std::span<const ParameterSpec> template_schema() { return template_keys; }
std::span<const ParameterSpec> stage_schema() { return stage_keys; }

const char* objective_name(Objective objective) {
  switch (objective) {
    case Objective::encoder: return "encoder";
    case Objective::decoder: return "decoder";
    case Objective::answer: return "answer";
    case Objective::generate: return "generate";
  }
  return "";
}

std::vector<Stage> check_stages(const Node& list, const Node* pipeline, Diagnostics& diagnostics) {
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
