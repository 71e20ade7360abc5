// The resolved recipe: canonical YAML with every default filled in, and the hash that names a run.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "io/hash.h"
#include "recipe/check.h"

namespace blip3u {

namespace {

/// Text as YAML reads it back: plain where that is safe, else in double quotes.
std::string emit(const std::string& text) {
  constexpr std::string_view safe =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./";  // and `-` inside
  static const std::set<std::string, std::less<>> words = {"null", "Null", "NULL", "true", "false"};
  const bool letter_first = !text.empty() && safe.substr(0, 52).find(text[0]) != std::string_view::npos;
  const bool plain =
      std::all_of(text.begin(), text.end(), [&](char c) { return c == '-' || safe.find(c) != std::string_view::npos; });
  if (letter_first && plain && !words.contains(text)) return text;
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string emit(double number) { return fmt::format("{}", number); }  // the shortest form that reads back exactly

std::string emit(const std::vector<std::string>& texts) {
  std::string result = "[";
  for (const std::string& text : texts) result += (result.size() > 1 ? ", " : "") + emit(text);
  return result + ']';
}

/// `plugin` and all parameters in declared order; the first line stands where the caller is.
std::string emit(const ComponentChoice& choice, const std::string& indent) {
  std::string result = fmt::format("plugin: {}\n", emit(choice.name));
  for (const ParameterSpec& spec : choice.entry.component->parameters) {
    result +=
        fmt::format("{}{}: {}\n", indent, spec.name, yaml_text(choice.parameters.values().find(spec.name)->second));
  }
  std::string weights;
  for (const auto& [name, weight] : choice.loss_weights) {
    weights += fmt::format("{}{}: {}", weights.empty() ? "" : ", ", emit(name), emit(weight));
  }
  if (!weights.empty()) result += fmt::format("{}loss_weights: {{{}}}\n", indent, weights);
  return result;
}

std::string emit(const Stage& stage) {
  return fmt::format(
      "  - name: {}\n    objective: {}\n    train: {}\n    steps: {}\n    batch: {}\n    learning_rate: {}\n"
      "    final_learning_rate: {}\n    warmup: {}\n    weight_decay: {}\n    gradient_clip: {}\n"
      "    average_decay: {}\n    word_dropout: {}\n    checkpoint_every: {}\n",
      emit(stage.name), objective_name(stage.objective), emit(stage.train), stage.steps, stage.batch,
      emit(stage.learning_rate), emit(stage.final_learning_rate), emit(stage.warmup), emit(stage.weight_decay),
      emit(stage.gradient_clip), emit(stage.average_decay), emit(stage.word_dropout), stage.checkpoint_every);
}

/// What decides the results of a run.
std::string emit_body(const Recipe& recipe) {
  std::string body = fmt::format("seed: {}\ndevice: {}\n", recipe.seed, emit(recipe.device));
  body += "data:\n  " + emit(recipe.data, "  ") + "tokenizer:\n  " + emit(recipe.tokenizer, "  ");
  std::string parts;
  for (const Kind kind : pipeline_kinds) {
    if (const auto& choice = part(recipe.pipeline, kind)) {
      parts += fmt::format("  {}:\n    {}", kind_name(kind), emit(*choice, "    "));
    }
  }
  body += parts.empty() ? "pipeline: {}\n" : "pipeline:\n" + parts;
  body += fmt::format("templates:\n  prompt: {}\n  question: {}\n", emit(recipe.prompt_template),
                      emit(recipe.question_template));
  body += recipe.stages.empty() ? "training: []\n" : "training:\n";
  for (const Stage& stage : recipe.stages) body += emit(stage);
  body += recipe.evaluation.empty() ? "evaluation: []\n" : "evaluation:\n";
  for (const ComponentChoice& task : recipe.evaluation) body += "  - " + emit(task, "    ");
  return body;
}

}  // namespace

std::string yaml_text(const ParameterValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
  if (const auto* real = std::get_if<double>(&value)) return emit(*real);
  if (const auto* text = std::get_if<std::string>(&value)) return emit(*text);
  return emit(std::get<std::vector<std::string>>(value));
}

void resolve(Recipe& recipe) {
  const std::string body = emit_body(recipe);
  recipe.resolved = fmt::format("name: {}\noutput: {}\nplugin_folders: {}\n{}", emit(recipe.name),
                                emit(recipe.output.string()), emit(recipe.plugin_folders), body);

  std::set<std::string> libraries = {recipe.data.entry.library_hash, recipe.tokenizer.entry.library_hash};
  for (const Kind kind : pipeline_kinds) {
    if (const auto& choice = part(recipe.pipeline, kind)) libraries.insert(choice->entry.library_hash);
  }
  for (const ComponentChoice& task : recipe.evaluation) libraries.insert(task.entry.library_hash);
  std::string hashed = body;
  for (const std::string& hash : libraries) hashed += "# " + hash + '\n';
  recipe.hash = sha256_text(hashed);
}

}  // namespace blip3u
