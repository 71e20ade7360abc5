// Components as the program makes them: found by the registry, with defaults and changes to them, and checked.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>

#include "blip3u/component.h"
#include "blip3u/error.h"
#include "blip3u/plugin.h"
#include "pipeline/create.h"
#include "registry/registry.h"

namespace blip3u {

using Overrides = std::map<std::string, ParameterValue>;

inline const ComponentDescriptor& descriptor_of(Kind kind, const std::string& name) {
  static Registry registry({BLIP3U_PLUGIN_FOLDER});
  const auto* component = registry.find(kind, name).component;
  if (component == nullptr) throw Error("there is no component " + name);
  return *component;
}

inline Parameters parameters_of(const ComponentDescriptor& component, const Overrides& overrides) {
  Parameters parameters = Parameters::defaults(component.parameters);
  for (const auto& [name, value] : overrides) {
    const bool known = std::ranges::any_of(component.parameters, [&](const auto& spec) { return name == spec.name; });
    if (!known) throw Error("there is no parameter " + name);
    parameters.set(name, value);
  }
  return parameters;
}

template <class Contract>
std::unique_ptr<Contract> make(Kind kind, const std::string& name, const Overrides& overrides = {},
                               BuildContext context = {}) {
  CatalogEntry entry;
  entry.component = &descriptor_of(kind, name);
  const Parameters parameters = parameters_of(*entry.component, overrides);
  if (entry.component->check != nullptr) entry.component->check(parameters, context.wiring);
  return create_component<Contract>(entry, name, parameters, context);
}

}  // namespace blip3u
