// `schema`: the JSON Schema of recipes with all installed plugins, so that editors complete and check.
//
// A recipe with a `base` need not name what the base names: it may give a parameter of a component without its
// `plugin`. So the keys of a component (`sampler`, in `$defs`) are one schema, and what must be there (`whole.sampler`)
// another, which only a recipe without a base and the list of tasks, which never merges, have to meet.
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ablating/section.h"
#include "parameter_json.h"
#include "program.h"
#include "recipe/check.h"

namespace blip3u {
namespace {

using Json = nlohmann::ordered_json;  // keys stay in the order of a recipe

Json text_schema(std::span<const char* const> choices) {
  if (!choices.empty()) return {{"enum", std::vector<std::string>(choices.begin(), choices.end())}};
  return {{"type", {"string", "number", "boolean"}}};  // in a recipe, 64 is a text too where a text is asked for
}

Json value_schema(const ParameterSpec& spec) {
  Json result;
  switch (spec.type) {
    case ParameterType::boolean: result["type"] = "boolean"; break;
    case ParameterType::integer: result["type"] = "integer"; break;
    case ParameterType::number: result["type"] = "number"; break;
    case ParameterType::text: result = text_schema(spec.choices); break;
    case ParameterType::texts: result = {{"type", "array"}, {"items", text_schema(spec.choices)}}; break;
    case ParameterType::numbers: result = {{"type", "array"}, {"items", {{"type", "number"}}}}; break;
    case ParameterType::path: result["type"] = "string"; break;
  }
  set_default_and_range(result, spec);
  result["description"] = spec.documentation;
  return result;
}

Json map_schema(std::span<const ParameterSpec> specs) {
  Json result = {{"type", "object"}, {"properties", Json::object()}, {"additionalProperties", false}};
  for (const ParameterSpec& spec : specs) result["properties"][spec.name] = value_schema(spec);
  return result;
}

std::vector<std::string> required_keys(std::span<const ParameterSpec> specs) {
  std::vector<std::string> keys;
  for (const ParameterSpec& spec : specs) {
    if (spec.required) keys.emplace_back(spec.name);
  }
  return keys;
}

Json reference(const std::string& definition) { return {{"$ref", "#/$defs/" + definition}}; }

Json component_schema(const ComponentDescriptor& component) {
  Json result = map_schema(component.parameters);
  result["description"] = component.summary;
  result["properties"]["plugin"] = Json::object();  // whose value is checked where the component is chosen by it
  if (takes_weights(component.kind)) {
    result["properties"]["weights"] = map_schema(weights_schema());
    result["properties"]["weights"]["description"] = "folder that its weights come from, instead of being drawn";
  }
  if (component.kind == Kind::dataset) {
    result["properties"].update(map_schema(data_schema())["properties"]);
    result["properties"].update(map_schema(source_schema())["properties"]);
  }
  if (component.losses.empty()) return result;
  Json weights = map_schema({});
  weights["description"] = "factors of the terms of its loss";
  for (const char* loss : component.losses) weights["properties"][loss] = value_schema(loss_weight_schema());
  result["properties"]["loss_weights"] = std::move(weights);
  return result;
}

class Definitions {
 public:
  explicit Definitions(Registry& registry) : registry_(registry) {}

  /// Defines `KIND`, `whole.KIND` and `KIND.LIBRARY.COMPONENT` for every component, and returns a reference to the
  /// first.
  Json component(Kind kind) {
    const std::string kind_text = kind_name(kind);
    Json names = Json::array(), chosen = Json::array(), any = Json::array();
    Json demands = Json::array(), demanding = Json::array();
    for (const std::string& name : registry_.names(kind)) {
      const ComponentDescriptor& component = *registry_.find(kind, name).component;
      const auto slash = name.find('/');
      const std::string library = name.substr(0, slash);
      Json spellings = Json::array({name});
      if (slash == std::string::npos) spellings.push_back(library + '/' + component.name);
      const std::string definition = fmt::format("{}.{}.{}", kind_text, library, component.name);
      const Json is_this = {{"properties", {{"plugin", {{"enum", spellings}}}}}, {"required", {"plugin"}}};
      definitions_[definition] = component_schema(component);
      chosen.push_back({{"if", is_this}, {"then", reference(definition)}});
      any.push_back(reference(definition));
      for (const Json& spelling : spellings) names.push_back(spelling);
      if (const auto keys = required_keys(component.parameters); !keys.empty()) {
        demands.push_back({{"if", is_this}, {"then", {{"required", keys}}}});
        for (const Json& spelling : spellings) demanding.push_back(spelling);
      }
    }
    if (names.empty()) {
      definitions_[kind_text] = false;  // no component of this kind is installed
      definitions_["whole." + kind_text] = false;
      return reference(kind_text);
    }
    const Json is_map = {{"type", "object"}}, names_plugin = {{"required", {"plugin"}}};
    Json map = {{"properties", {{"plugin", {{"enum", names}, {"description", "the component's name"}}}}}};
    map["if"] = names_plugin;
    map["then"] = {{"allOf", chosen}};
    map["else"] = {{"anyOf", any}};  // the base names it
    definitions_[kind_text] = {{"if", is_map}, {"then", map}, {"else", {{"enum", names}}}};

    Json whole = {{"if", is_map}, {"then", names_plugin}};
    if (!demands.empty()) {
      whole["then"]["allOf"] = demands;
      whole["else"] = {{"not", {{"enum", demanding}}}};  // the name alone leaves no room for what it demands
    }
    definitions_["whole." + kind_text] = whole;
    return reference(kind_text);
  }

  static Json whole(Kind kind) { return reference(std::string("whole.") + kind_name(kind)); }

  Json take() { return std::move(definitions_); }

 private:
  Registry& registry_;
  Json definitions_ = Json::object();
};

Json described(Json schema, const char* description) {
  schema["description"] = description;
  return schema;
}

Json list_schema(Json items, const char* description) {
  return {{"type", "array"}, {"items", std::move(items)}, {"default", Json::array()}, {"description", description}};
}

Json stage() {
  Json result = map_schema(stage_schema());
  result["properties"]["train"]["items"]["pattern"] =
      "^(encoder|understanding\\.\\d+|backbone|denoiser|generation\\.\\d+\\.(target|denoiser)|decoder)(:.+)?$";
  result["required"] = required_keys(stage_schema());
  return result;
}

/// The keys of `pipeline`, of which `component` gives the schema of a part.
template <class ComponentSchema>
Json pipeline(const ComponentSchema& component) {
  const auto optional = [](const Json& part) {
    Json result;
    result["anyOf"] = {{{"type", "null"}}, part};
    return result;
  };
  const auto several = [&](const Json& items) {
    return optional({{"type", "array"}, {"minItems", 1}, {"items", items}});
  };
  Json result = map_schema({}), link = map_schema({});
  Json &keys = result["properties"], &parts = link["properties"];
  keys["encoder"] = optional(component(Kind::encoder));
  keys["understanding"] = several(component(Kind::encoder));
  keys["backbone"] = optional(component(Kind::backbone));
  for (const LinkKey& key : link_keys) parts[key.name] = optional(component(key.kind));
  for (const LinkKey& key : short_link_keys) keys[key.name] = parts[key.name];
  parts["target"]["anyOf"].push_back({{"type", "string"}, {"pattern", "^(encoder|understanding\\.\\d+)$"}});
  link["required"] = {"denoiser", "sampler"};
  keys["generation"] = several(link);
  keys["decoder"] = optional(component(Kind::decoder));
  return result;
}

/// One data set with the recipe's own keys among its parameters, or a list of them.
Json data(const Json& dataset) {
  Json several = map_schema(data_schema());
  several["properties"]["sources"] = {{"type", "array"}, {"items", dataset}, {"minItems", 1}};
  return {{"if", {{"required", {"sources"}}}}, {"then", several}, {"else", dataset}};
}

/// What varies: axes of labels of overrides, whose keys and values are the recipe's own.
Json ablation() {
  const Json label = {{"type", "object"}, {"description", "overrides, path.to.key: value; {} changes nothing"}};
  const Json axis = {{"type", "object"}, {"additionalProperties", label}, {"minProperties", 2}};
  const Json name = {{"type", "string"}};
  const Json names = {{"anyOf", {name, {{"type", "array"}, {"items", name}}}}};
  Json result = map_schema(sweep_schema());
  Json& keys = result["properties"];
  keys["axes"] = {{"type", "object"}, {"additionalProperties", axis}, {"minProperties", 1}};
  keys["baseline"] = {{"type", "object"}, {"additionalProperties", name}};
  keys["points"] = {{"type", "array"}, {"items", keys["baseline"]}};
  keys["leave_out"] = {{"type", "array"},
                       {"items", {{"type", "object"}, {"additionalProperties", names}, {"required", {"reason"}}}}};
  return result;
}

Json recipe(Registry& registry) {
  Definitions definitions(registry);
  Json result = {{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "BLIP3-U recipe"}};
  result.update(map_schema(recipe_schema()));
  Json& keys = result["properties"];
  keys["base"] = {{"type", "string"}, {"description", "path of one other recipe, relative to this file, to change"}};
  keys["data"] = described(data(definitions.component(Kind::dataset)), "the data set, or several");
  keys["tokenizer"] = described(definitions.component(Kind::tokenizer), "what turns text into numbers");
  keys["pipeline"] = described(pipeline([&](Kind kind) { return definitions.component(kind); }),
                               "the parts of the model; null takes one out");
  keys["templates"] = described(map_schema(template_schema()), "how texts are put before the backbone");
  keys["training"] = list_schema(stage(), "stages, run in this order");
  const Json task = definitions.component(Kind::task);
  keys["evaluation"] = list_schema({{"allOf", {task, Definitions::whole(Kind::task)}}}, "tasks, run after training");
  keys["ablate"] = described(ablation(), "what `blip3u ablate` varies");

  std::vector<std::string> required = required_keys(recipe_schema());
  required.insert(required.end(), {"data", "tokenizer", "pipeline"});
  result["if"] = {{"required", {"base"}}};
  result["else"] = {{"required", required},
                    {"properties",
                     {{"data", data(Definitions::whole(Kind::dataset))},
                      {"tokenizer", Definitions::whole(Kind::tokenizer)},
                      {"pipeline", pipeline(Definitions::whole)}}}};
  result["$defs"] = definitions.take();
  return result;
}

}  // namespace

void add_schema(CLI::App& app, Program& program) {
  CLI::App* const verb = app.add_subcommand("schema", "Print the JSON Schema of recipes, for editors");
  verb->footer(
      "Covers every plugin that can be loaded. Store it, and begin a recipe with the line\n"
      "# yaml-language-server: $schema=FILE");
  verb->callback([&program] {
    program.action = [&program] {
      Registry registry = open_registry(program);
      fmt::print("{}\n", recipe(registry).dump(2));
      return 0;
    };
  });
}

}  // namespace blip3u
