// The resolved recipe: canonical YAML with every default filled in, and the hash that names a run.
#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

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

std::string emit(const std::vector<double>& numbers) { return fmt::format("[{}]", fmt::join(numbers, ", ")); }

enum class For { reading, identity };

/// `plugin` and all parameters in declared order; the first line stands where the caller is.
std::string emit(const ComponentChoice& choice, const std::string& indent, For purpose) {
  std::string result = fmt::format("plugin: {}\n", emit(choice.name));
  for (const ParameterSpec& spec : choice.entry.component->parameters) {
    result += fmt::format("{}{}: {}\n", indent, spec.name,
                          purpose == For::identity ? identity_text(choice, spec.name)
                                                   : yaml_text(choice.parameters.values().find(spec.name)->second));
  }
  if (choice.weights && purpose == For::identity) {
    result += fmt::format("{}weights: {}\n", indent, choice.contents.find("weights")->second);
  } else if (choice.weights) {
    result += fmt::format("{}weights: {{from: {}, subfolder: {}}}\n", indent, emit(choice.weights->from),
                          emit(choice.weights->subfolder));
  }
  std::string weights;
  for (const auto& [name, weight] : choice.loss_weights) {
    weights += fmt::format("{}{}: {}", weights.empty() ? "" : ", ", emit(name), emit(weight));
  }
  if (!weights.empty()) result += fmt::format("{}loss_weights: {{{}}}\n", indent, weights);
  return result;
}

/// Those keys of a schema that decide results, or all.
std::string emit_keys(const Parameters& keys, std::span<const ParameterSpec> schema, const std::string& indent,
                      For purpose) {
  std::string result;
  for (const ParameterSpec& spec : schema) {
    if (purpose == For::identity && spec.inference) continue;
    result += fmt::format("{}{}: {}\n", indent, spec.name, yaml_text(keys.values().find(spec.name)->second));
  }
  return result;
}

std::string emit(const SourceChoice& source, const std::string& indent, For purpose) {
  Parameters keys = Parameters::defaults(source_schema());
  keys.set("weight", source.weight);
  keys.set("filter", source.filter);
  return emit(source.dataset, indent, purpose) + emit_keys(keys, source_schema(), indent, purpose);
}

std::string emit(const DataChoice& data, For purpose) {
  Parameters keys = Parameters::defaults(data_schema());
  keys.set("image_size", data.image_size);
  keys.set("lanes", data.lanes);
  keys.set("window", data.window);
  keys.set("workers", data.workers);
  keys.set("corrupt_share", data.corrupt_share);
  keys.set("keep_features", data.keep_features);
  const std::string own = emit_keys(keys, data_schema(), "  ", purpose);
  if (data.sources.size() == 1) return "data:\n  " + emit(data.sources.front(), "  ", purpose) + own;
  std::string result = "data:\n" + own + "  sources:\n";
  for (const SourceChoice& source : data.sources) result += "    - " + emit(source, "      ", purpose);
  return result;
}

std::string emit(const PipelineChoices& pipeline, For purpose) {
  std::string parts;
  const auto add = [&](const std::string& indent, std::string_view key, const std::string& role) {
    if (const ComponentChoice* const choice = pipeline.find(role)) {
      parts += fmt::format("{}{}:\n{}  {}", indent, key, indent, emit(*choice, indent + "  ", purpose));
    }
  };
  add("  ", "encoder", "encoder");
  if (!pipeline.understanding.empty() && !pipeline.find("encoder")) {
    parts += "  understanding:\n";
    for (const std::string& role : pipeline.understanding) {
      parts += "    - " + emit(pipeline.parts.at(role), "      ", purpose);
    }
  }
  add("  ", "backbone", "backbone");
  const bool several = !pipeline.generation.empty() && !pipeline.generation.front().place.empty();
  if (several) parts += "  generation:\n";
  for (const LinkChoice& link : pipeline.generation) {
    if (several) {
      const bool own = link.target.starts_with(link.place);
      parts += own ? "    - target:\n          " + emit(pipeline.parts.at(link.target), "          ", purpose)
                   : fmt::format("    - target: {}\n", link.target);
    }
    for (const LinkKey& key : short_link_keys) add(several ? "      " : "  ", key.name, link.*key.role);
  }
  add("  ", "decoder", "decoder");
  return parts.empty() ? "pipeline: {}\n" : "pipeline:\n" + parts;
}

std::string emit(const Stage& stage) {
  std::string result;
  for (const StageKey& key : stage_keys()) {
    result +=
        fmt::format("{}{}: {}\n", result.empty() ? "  - " : "    ", key.spec.name, yaml_text(value_of(stage, key)));
  }
  return result;
}

/// What decides the results of a run.
std::string emit_body(const Recipe& recipe, For purpose) {
  std::string body = fmt::format("seed: {}\ndevice: {}\n", recipe.seed, emit(recipe.device));
  body += emit(recipe.data, purpose);
  body += "tokenizer:\n  " + emit(recipe.tokenizer, "  ", purpose);
  body += emit(recipe.pipeline, purpose);
  body += fmt::format("templates:\n  prompt: {}\n  question: {}\n", emit(recipe.prompt_template),
                      emit(recipe.question_template));
  body += recipe.stages.empty() ? "training: []\n" : "training:\n";
  for (const Stage& stage : recipe.stages) body += emit(stage);
  body += recipe.evaluation.empty() ? "evaluation: []\n" : "evaluation:\n";
  for (const ComponentChoice& task : recipe.evaluation) body += "  - " + emit(task, "    ", purpose);
  return body;
}

}  // namespace

std::string yaml_text(const ParameterValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
  if (const auto* real = std::get_if<double>(&value)) return emit(*real);
  if (const auto* text = std::get_if<std::string>(&value)) return emit(*text);
  if (const auto* numbers = std::get_if<std::vector<double>>(&value)) return emit(*numbers);
  return emit(std::get<std::vector<std::string>>(value));
}

std::string identity_text(const ComponentChoice& choice, std::string_view parameter) {
  const auto content = choice.contents.find(parameter);
  if (content != choice.contents.end()) return content->second;
  return yaml_text(choice.parameters.values().find(parameter)->second);
}

void resolve(Recipe& recipe) {
  recipe.resolved = fmt::format("name: {}\noutput: {}\ninference_batch: {}\nplugin_folders: {}\n{}", emit(recipe.name),
                                emit(recipe.output.string()), recipe.inference_batch, emit(recipe.plugin_folders),
                                emit_body(recipe, For::reading));

  std::set<std::string> libraries = {recipe.tokenizer.entry.library_hash};
  for (const SourceChoice& source : recipe.data.sources) libraries.insert(source.dataset.entry.library_hash);
  for (const auto& [role, choice] : recipe.pipeline.parts) libraries.insert(choice.entry.library_hash);
  for (const ComponentChoice& task : recipe.evaluation) libraries.insert(task.entry.library_hash);
  std::string hashed = emit_body(recipe, For::identity);
  for (const std::string& hash : libraries) hashed += "# " + hash + '\n';
  recipe.hash = sha256_text(hashed);
}

}  // namespace blip3u
