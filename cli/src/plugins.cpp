#include <algorithm>
#include <memory>
#include <set>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "blip3u/error.h"
#include "parameter_json.h"
#include "program.h"
#include "recipe/suggest.h"

namespace blip3u {
namespace {

using nlohmann::json;

int list(const Program& program) {
  const auto libraries = open_registry(program).list();
  std::size_t width = 0;
  for (const PluginLibrary& library : libraries) width = std::max(width, library.name.size());
  for (const PluginLibrary& library : libraries) {
    if (!library.descriptor) {
      fmt::print("{:<{}}  FAILED  {}\n", library.name, width, library.failure);
      continue;
    }
    std::vector<std::string> by_kind;
    for (const Kind kind : kinds) {
      std::vector<std::string> names;
      for (const ComponentDescriptor& component : library.descriptor->components) {
        if (component.kind == kind) names.push_back(component_name(library.name, component.name));
      }
      if (!names.empty()) by_kind.push_back(fmt::format("{}: {}", kind_name(kind), fmt::join(names, ", ")));
    }
    fmt::print("{:<{}}  {:<6}  {}  ({})\n", library.name, width, library.descriptor->version, fmt::join(by_kind, "; "),
               library.file.string());
  }
  return 0;
}

const char* type_name(ParameterType type) {
  switch (type) {
    case ParameterType::boolean: return "boolean";
    case ParameterType::integer: return "integer";
    case ParameterType::number: return "number";
    case ParameterType::text: return "text";
    case ParameterType::texts: return "list of texts";
    case ParameterType::numbers: return "list of numbers";
    case ParameterType::path: return "path";
  }
  return "unknown";
}

json texts(std::span<const char* const> values) { return std::vector<std::string>(values.begin(), values.end()); }

json describe(const ParameterSpec& spec) {
  json result = {{"name", spec.name},
                 {"type", type_name(spec.type)},
                 {"required", spec.required},
                 {"default", nullptr},
                 {"minimum", nullptr},
                 {"maximum", nullptr},
                 {"choices", texts(spec.choices)},
                 {"documentation", spec.documentation}};
  set_default_and_range(result, spec);
  return result;
}

json describe(const PluginLibrary& library, const ComponentDescriptor& component, const std::string& hash) {
  json result = {{"name", component_name(library.name, component.name)},
                 {"kind", kind_name(component.kind)},
                 {"summary", component.summary},
                 {"provides", texts(component.provides)},
                 {"needs", texts(component.needs)},
                 {"losses", texts(component.losses)},
                 {"parameters", json::array()},
                 {"library",
                  {{"name", library.name},
                   {"version", library.descriptor->version},
                   {"license", library.descriptor->license},
                   {"file", library.file.string()},
                   {"sha256", hash},
                   {"interface_version", library.descriptor->interface_version},
                   {"build", library.descriptor->build_stamp}}}};
  for (const ParameterSpec& spec : component.parameters) result["parameters"].push_back(describe(spec));
  return result;
}

std::string joined(const json& values) {
  return values.empty() ? "nothing" : fmt::format("{}", fmt::join(values.get<std::vector<std::string>>(), ", "));
}

void print_parameter(const json& parameter) {
  std::string line =
      fmt::format("  {} ({}", parameter.at("name").get<std::string>(), parameter.at("type").get<std::string>());
  line += parameter.at("required") ? ", required" : ", default " + parameter.at("default").dump();
  if (!parameter.at("minimum").is_null()) line += ", from " + parameter.at("minimum").dump();
  if (!parameter.at("maximum").is_null()) line += ", to " + parameter.at("maximum").dump();
  if (!parameter.at("choices").empty()) line += ", one of " + joined(parameter.at("choices"));
  fmt::print("{})\n      {}\n", line, parameter.at("documentation").get<std::string>());
}

void print_component(const json& component) {
  const auto text = [](const json& object, const char* key) { return object.at(key).get<std::string>(); };
  const json& library = component.at("library");
  fmt::print("{} {}\n  {}\n", text(component, "kind"), text(component, "name"), text(component, "summary"));
  fmt::print("provides: {}\nneeds: {}\n", joined(component.at("provides")), joined(component.at("needs")));
  if (!component.at("losses").empty()) fmt::print("losses: {}\n", joined(component.at("losses")));
  fmt::print("parameters:{}\n", component.at("parameters").empty() ? " none" : "");
  for (const json& parameter : component.at("parameters")) print_parameter(parameter);
  fmt::print("file: {}\nsha256: {}\nversion: {}\nlicense: {}\nbuild: {} (interface {})\n", text(library, "file"),
             text(library, "sha256"), text(library, "version"), text(library, "license"), text(library, "build"),
             library.at("interface_version").get<int>());
}

/// A section and a table for recipes/COMPONENTS.md.
void print_markdown(const json& component) {
  const auto text = [](const json& object, const char* key) { return object.at(key).get<std::string>(); };
  fmt::print("\n## {} `{}`\n\n{}\n", text(component, "kind"), text(component, "name"), text(component, "summary"));
  for (const char* key : {"provides", "needs", "losses"}) {
    if (!component.at(key).empty()) fmt::print("- {}: {}\n", key, joined(component.at(key)));
  }
  if (component.at("parameters").empty()) {
    fmt::print("- no parameters\n");
    return;
  }
  fmt::print("\n| parameter | type | default | range | meaning |\n|---|---|---|---|---|\n");
  for (const json& parameter : component.at("parameters")) {
    const json &minimum = parameter.at("minimum"), &maximum = parameter.at("maximum");
    std::string range = parameter.at("choices").empty() ? "" : joined(parameter.at("choices"));
    if (!minimum.is_null()) range = "from " + minimum.dump();
    if (!maximum.is_null()) range += (range.empty() ? "up to " : " to ") + maximum.dump();
    fmt::print("| `{}` | {} | {} | {} | {} |\n", text(parameter, "name"), text(parameter, "type"),
               parameter.at("required") ? "required" : "`" + parameter.at("default").dump() + "`", range,
               text(parameter, "documentation"));
  }
}

/// All components of all libraries, in the order of a recipe.
json all_components(Registry& registry) {
  json result = json::array();
  for (const Kind kind : kinds) {
    for (const std::string& name : registry.names(kind)) {
      const PluginLibrary* const library = registry.library(name.substr(0, name.find('/')));
      const CatalogEntry entry = registry.find(kind, name);
      result.push_back(describe(*library, *entry.component, entry.library_hash));
    }
  }
  return result;
}

/// Everything called `name`: a component, as one kind or several, or else all components of a library.
json inspected(Registry& registry, const std::string& name) {
  const PluginLibrary* const library = registry.library(name.substr(0, name.find('/')));
  if (library && !library->descriptor) throw Error(Fault::plugin, library->failure);
  json whole_library = json::array(), component = json::array();
  if (library) {
    for (const ComponentDescriptor& each : library->descriptor->components) {
      const std::string short_form = component_name(library->name, each.name);
      const json description = describe(*library, each, registry.find(each.kind, short_form).library_hash);
      if (name == short_form || name == library->name + '/' + each.name) component.push_back(description);
      if (name == library->name) whole_library.push_back(description);
    }
  }
  if (!component.empty()) return component;
  if (!whole_library.empty()) return whole_library;

  std::set<std::string> known;
  for (const Kind kind : kinds) {
    for (const std::string& each : registry.names(kind)) known.insert(each);
  }
  throw Error(Fault::usage,
              fmt::format("no plugin component `{}`{}", name,
                          suggest(name, std::vector<std::string>(known.begin(), known.end()), "components")));
}

struct InspectOptions {
  std::string name;
  bool as_json = false, as_markdown = false;
};

int inspect(const Program& program, const InspectOptions& options) {
  Registry registry = open_registry(program);
  const json found = options.name.empty() ? all_components(registry) : inspected(registry, options.name);
  if (options.as_json) {
    fmt::print("{}\n", found.dump(2));
    return 0;
  }
  for (const json& component : found) {
    if (options.as_markdown) {
      print_markdown(component);
      continue;
    }
    if (&component != &found.front()) fmt::print("\n");
    print_component(component);
  }
  return 0;
}

}  // namespace

void add_plugins(CLI::App& app, Program& program) {
  CLI::App* const plugins = app.add_subcommand("plugins", "Show, check and start plugin libraries");
  plugins->require_subcommand(1);

  CLI::App* const list_verb = plugins->add_subcommand("list", "List the libraries, and why some failed to load");
  list_verb->callback([&program] { program.action = [&program] { return list(program); }; });

  const auto options = std::make_shared<InspectOptions>();
  CLI::App* const inspect_verb = plugins->add_subcommand("inspect", "Show a component's parameters and origin");
  inspect_verb
      ->add_option("name", options->name, "Component, e.g. clip or acme/heun, or library; without it, all components")
      ->type_name("NAME");
  CLI::Option* const as_json = inspect_verb->add_flag("--json", options->as_json, "Print a JSON array");
  inspect_verb->add_flag("--markdown", options->as_markdown, "Print tables, as in recipes/COMPONENTS.md")
      ->excludes(as_json);
  inspect_verb->callback(
      [options, &program] { program.action = [options, &program] { return inspect(program, *options); }; });
  add_plugins_new(*plugins, program);
  add_plugins_verify(*plugins, program);
}

}  // namespace blip3u
