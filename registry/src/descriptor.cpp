// Checks of what a loaded library says about itself. The host checks, never the plugin.
#include <set>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "registry/load.h"

namespace blip3u {
namespace {

constexpr const char* rebuild = "rebuild the plugin against this toolkit";

class Checker {
 public:
  explicit Checker(const std::filesystem::path& file) : file_(file) {}

  void descriptor(const PluginDescriptor* plugin) const {
    if (!plugin) reject("its entry function returned no descriptor", "return a constant one, as BLIP3U_PLUGIN does");
    if (plugin->interface_version != interface_version) {
      reject(fmt::format("has plugin interface version {}, but this program has {}", plugin->interface_version,
                         interface_version),
             rebuild);
    }
    if (plugin->size != sizeof(PluginDescriptor)) {
      reject(
          fmt::format("its descriptor has {} bytes, but this program's has {}", plugin->size, sizeof(PluginDescriptor)),
          rebuild);
    }
    if (!plugin->build_stamp || plugin->build_stamp != std::string_view(BLIP3U_BUILD_STAMP)) {
      reject(fmt::format("was built for \"{}\", but this program is \"{}\"",
                         plugin->build_stamp ? plugin->build_stamp : "", BLIP3U_BUILD_STAMP),
             rebuild);
    }
    name(plugin->name, "library");
    if (file_.stem() != plugin->name) {
      reject(fmt::format("holds the library `{}`", plugin->name), fmt::format("name the file {}.so", plugin->name));
    }
    filled(plugin->version, "the library's version");
    filled(plugin->license, "the library's license");
    if (plugin->components.empty()) reject("has no components", "list at least one in the descriptor");
    std::set<std::pair<Kind, std::string>> seen;
    for (const ComponentDescriptor& each : plugin->components) {
      component(each);
      if (!seen.emplace(each.kind, each.name).second) {
        reject(fmt::format("has two components {} `{}`", kind_name(each.kind), each.name), "rename one of them");
      }
    }
  }

 private:
  void component(const ComponentDescriptor& component) const {
    name(component.name, "component");
    const std::string what = fmt::format("component `{}`", component.name);
    if (component.kind < Kind::encoder || component.kind > Kind::guidance) {
      reject(fmt::format("{} has the unknown kind {}", what, static_cast<int>(component.kind)),
             "use one of the values of blip3u::Kind");
    }
    filled(component.summary, "the summary of " + what);
    if (!component.create) reject(what + " has no factory", "set `create` in its descriptor");
    strings(component.provides, "what " + what + " provides");
    strings(component.needs, "what " + what + " needs");
    strings(component.losses, "the losses of " + what);
    std::set<std::string> seen;
    for (const ParameterSpec& spec : component.parameters) {
      name(spec.name, "parameter");
      parameter(spec, fmt::format("parameter `{}` of {}", spec.name, what));
      if (!seen.insert(spec.name).second) {
        reject(fmt::format("{} declares the parameter `{}` twice", what, spec.name), "rename one of them");
      }
    }
  }

  void parameter(const ParameterSpec& spec, const std::string& what) const {
    if (spec.type < ParameterType::boolean || spec.type > ParameterType::path) {
      reject(what + " has an unknown type", "use one of the values of blip3u::ParameterType");
    }
    filled(spec.documentation, "the documentation of " + what);
    strings(spec.choices, "the choices of " + what);
    if (!(spec.minimum <= spec.maximum)) {
      reject(fmt::format("{} has the empty range {} to {}", what, spec.minimum, spec.maximum), "correct the range");
    }
    if (!spec.default_text) reject(what + " has a null default", "give it a text, which may be empty");
    if (spec.required) return;
    const std::string problem = check_value(spec, default_value(spec));
    if (!problem.empty()) {
      reject(fmt::format("the default of {} is not valid: {}", what, problem), "correct the default or the range");
    }
  }

  void name(const char* name, const char* of) const {
    if (!name) reject(fmt::format("a {} has no name", of), "name it in the descriptor");
    if (!well_formed_name(name)) {
      reject(fmt::format("the {} name `{}` is not well formed", of, name),
             "use lower-case letters, digits and underscores, a letter first");
    }
  }

  void filled(const char* text, const std::string& what) const {
    if (!text || std::string_view(text).find_first_not_of(" \t\n") == std::string_view::npos) {
      reject(what + " is missing", "fill it in in the descriptor");
    }
  }

  void strings(std::span<const char* const> texts, const std::string& what) const {
    for (const char* const text : texts) {
      if (!text || !*text) reject(what + " has an empty entry", "fill it in or remove it");
    }
  }

  [[noreturn]] void reject(const std::string& reason, const std::string& mend) const {
    throw Error(Fault::plugin, fmt::format("{}: {}; {}", file_.string(), reason, mend));
  }

  const std::filesystem::path& file_;
};

}  // namespace

void check_descriptor(const std::filesystem::path& file, const PluginDescriptor* descriptor) {
  Checker(file).descriptor(descriptor);
}

bool well_formed_name(std::string_view name) {
  const auto letter = [](char c) { return c >= 'a' && c <= 'z'; };
  if (name.empty() || !letter(name.front())) return false;
  for (const char c : name) {
    if (!letter(c) && c != '_' && !(c >= '0' && c <= '9')) return false;
  }
  return true;
}

}  // namespace blip3u
