// Builds components from catalogue entries: the one place where a plugin's factory is called.
#pragma once

#include <memory>
#include <string>

#include <fmt/format.h>

#include "blip3u/plugin.h"
#include "blip3u/tokenizer.h"
#include "recipe/recipe.h"

namespace blip3u {

/// Calls the factory. `name` is the component's name as the recipe writes it. A context
/// without host gets the plain one. What a factory throws besides
/// blip3u::Error and lack of memory becomes Error(Fault::plugin) naming library, component and reason.
BLIP3U_API std::unique_ptr<Component> create_component(const CatalogEntry& entry, const std::string& name,
                                                       const Parameters& parameters, const BuildContext& context);

/// The same as an object of the kind's contract class, e.g. create_component<Encoder>(...).
template <class Contract>
std::unique_ptr<Contract> create_component(const CatalogEntry& entry, const std::string& name,
                                           const Parameters& parameters, const BuildContext& context) {
  std::unique_ptr<Component> made = create_component(entry, name, parameters, context);
  auto* const contract = dynamic_cast<Contract*>(made.get());
  if (!contract) {
    throw Error(Fault::plugin, fmt::format("{}: the factory of {} `{}` made an object of another kind; return one "
                                           "derived from that contract class",
                                           entry.library_path, kind_name(entry.component->kind), name));
  }
  static_cast<void>(made.release());
  return std::unique_ptr<Contract>(contract);
}

/// The recipe's tokenizer, not fitted or restored yet.
BLIP3U_API std::shared_ptr<Tokenizer> make_tokenizer(const Recipe& recipe);

}  // namespace blip3u
