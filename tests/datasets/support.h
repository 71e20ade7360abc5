// Components as the program makes them: found by the registry, with defaults and changes to them.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "blip3u/component.h"
#include "blip3u/error.h"
#include "blip3u/plugin.h"
#include "message_of.h"
#include "registry/registry.h"

namespace blip3u {

using Changes = std::map<std::string, ParameterValue>;

inline const ComponentDescriptor& descriptor_of(Kind kind, const std::string& name) {
  static Registry registry({BLIP3U_PLUGIN_FOLDER});
  const auto entry = registry.find(kind, name);
  if (entry.component == nullptr) throw Error("there is no component " + name);
  return *entry.component;
}

inline Parameters parameters_of(const ComponentDescriptor& descriptor, const Changes& changes) {
  auto parameters = Parameters::defaults(descriptor.parameters);
  for (const auto& [key, value] : changes) parameters.set(key, value);
  return parameters;
}

template <class Contract>
std::unique_ptr<Contract> make(Kind kind, const std::string& name, const Changes& changes = {}) {
  const auto& descriptor = descriptor_of(kind, name);
  const auto parameters = parameters_of(descriptor, changes);
  BuildContext context;
  if (descriptor.check != nullptr) descriptor.check(parameters, context.wiring);
  auto component = descriptor.create(parameters, context);
  auto* contract = dynamic_cast<Contract*>(component.get());
  if (contract == nullptr) throw Error(name + " is of another kind");
  static_cast<void>(component.release());
  return std::unique_ptr<Contract>(contract);
}

}  // namespace blip3u
