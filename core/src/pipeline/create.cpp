#include "pipeline/create.h"

#include <string>

#include <fmt/format.h>

#include "pipeline/host.h"
#include "plugin_call.h"

namespace blip3u {

std::unique_ptr<Component> create_component(const CatalogEntry& entry, const std::string& name,
                                            const Parameters& parameters, const BuildContext& context) {
  const auto fail = [&](const std::string& reason) {
    return Error(Fault::plugin,
                 fmt::format("{}: the factory of {} `{}` failed: {}; correct its parameters or report this to the "
                             "plugin's author",
                             entry.library_path, kind_name(entry.component->kind), name, reason));
  };
  BuildContext hosted = context;
  if (!hosted.host) hosted.host = &plain_host();
  std::unique_ptr<Component> made = call_plugin([&] { return entry.component->create(parameters, hosted); }, fail);
  if (!made) throw fail("it returned nothing");
  return made;
}

std::shared_ptr<Tokenizer> make_tokenizer(const Recipe& recipe) {
  const ComponentChoice& choice = recipe.tokenizer;
  const std::shared_ptr<Host> host = make_host(choice);
  auto made = create_component<Tokenizer>(choice.entry, choice.name, choice.parameters,
                                          {.wiring = recipe.wiring, .host = host.get()});
  return {made.release(), [host](Tokenizer* tokenizer) { delete tokenizer; }};  // which may keep the host
}

}  // namespace blip3u
