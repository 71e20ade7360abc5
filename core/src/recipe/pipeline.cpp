// `pipeline`: the parts of the model, in the short form for one encoder and one link, or in the long one.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "recipe/check.h"

namespace blip3u {

namespace {

/// Reads `pipeline` in the order in which its parts are checked and built.
class PipelineChecker {
 public:
  PipelineChecker(const Node& node, ComponentChecker& components, Diagnostics& diagnostics)
      : node_(node), components_(components), diagnostics_(diagnostics) {}

  PipelineChoices check() {
    if (!node_.is(Node::Type::map)) {
      expected(node_, "pipeline", "a map of parts, such as {encoder: clip}", diagnostics_);
    }
    check_keys();
    add_encoders();
    add("backbone", Kind::backbone, given("backbone"));
    add_links();
    add("decoder", Kind::decoder, given("decoder"));
    return std::move(pipeline_);
  }

 private:
  /// `decoder: null` takes out the base's.
  const Entry* given(const char* key) const {
    const Entry* const entry = node_.find(key);
    return entry && !entry->value.is(Node::Type::null) ? entry : nullptr;
  }

  void check_keys() {
    std::vector<std::string> known = {"encoder", "understanding", "backbone"};
    for (const LinkKey& key : short_link_keys) known.emplace_back(key.name);
    known.insert(known.end(), {"generation", "decoder"});
    for (const Entry& entry : node_.entries) {
      if (std::ranges::find(known, entry.key) != known.end()) continue;
      diagnostics_.add(entry.position, fmt::format("unknown key {} in `pipeline`{}", in_ticks(entry.key),
                                                   suggest(entry.key, known, "keys")));
    }
    refuse_both("encoder", "understanding");
    for (const LinkKey& key : short_link_keys) refuse_both(key.name, "generation");
  }

  void refuse_both(const char* short_key, const char* long_key) {
    if (!given(short_key) || !given(long_key)) return;
    diagnostics_.add(given(short_key)->position,
                     fmt::format("`{0}` is short for `{1}` with one entry, and both are given; remove one, set the "
                                 "base's to null, or change the entry, as in `pipeline.{1}.0{2}`",
                                 short_key, long_key,
                                 std::string_view(short_key) == "encoder" ? "" : fmt::format(".{}", short_key)));
  }

  void add(const std::string& role, Kind kind, const Node& node, const Position& where) {
    pipeline_.parts[role] = components_.add(kind, node, where, {}, role);
  }
  void add(const std::string& role, Kind kind, const Entry* entry) {
    if (entry) add(role, kind, entry->value, entry->position);
  }

  void add_encoders() {
    if (const Entry* const encoder = given("encoder")) {
      add("encoder", Kind::encoder, encoder);
      pipeline_.understanding = {"encoder"};
      return;
    }
    const Entry* const list = given("understanding");
    if (!list) return;
    if (!list->value.is(Node::Type::list) || list->value.items.empty()) {
      return expected(list->value, "understanding", "a list of one encoder or more", diagnostics_);
    }
    for (const Node& item : list->value.items) {
      pipeline_.understanding.push_back(fmt::format("understanding.{}", pipeline_.understanding.size()));
      add(pipeline_.understanding.back(), Kind::encoder, item, item.position);
    }
  }

  void add_links() {
    if (const Entry* const list = given("generation")) {
      if (!list->value.is(Node::Type::list) || list->value.items.empty()) {
        return expected(list->value, "generation",
                        "a list of one link or more, each a map with a denoiser and a sampler", diagnostics_);
      }
      for (const Node& item : list->value.items) add_link(item);
      return;
    }
    LinkChoice link;
    for (const LinkKey& key : short_link_keys) {
      if (!given(key.name)) continue;
      add(key.name, key.kind, given(key.name));
      link.*key.role = key.name;
    }
    if (link.denoiser.empty() && link.sampler.empty() && link.solver.empty() && link.guidance.empty()) return;
    link.target = first_encoder();
    pipeline_.generation.push_back(std::move(link));
  }

  void add_link(const Node& node) {
    if (!node.is(Node::Type::map)) {
      return expected(node, "generation", "a list of one link or more, each a map with a denoiser and a sampler",
                      diagnostics_);
    }
    LinkChoice link{.place = fmt::format("generation.{}", pipeline_.generation.size())};
    std::vector<const char*> known;
    for (const LinkKey& key : link_keys) known.push_back(key.name);
    check_map(node, node.position, "this link of `generation`", {}, known, diagnostics_);
    link.target = first_encoder();
    for (const LinkKey& key : link_keys) {
      const Entry* const entry = node.find(key.name);
      if (!entry || entry->value.is(Node::Type::null)) continue;
      if (key.kind == Kind::encoder && entry->value.is(Node::Type::scalar)) {
        link.target = named_target(entry->value);
        continue;
      }
      link.*key.role = fmt::format("{}.{}", link.place, key.name);
      add(link.*key.role, key.kind, entry);
    }
    for (const auto& [role, name] :
         {std::pair(link.target, "target"), std::pair(link.denoiser, "denoiser"), std::pair(link.sampler, "sampler")}) {
      if (!role.empty()) continue;
      diagnostics_.add(node.position, fmt::format("missing key `{}` in this link of `generation`", name));
    }
    pipeline_.generation.push_back(std::move(link));
  }

  std::string first_encoder() const {
    return pipeline_.understanding.empty() ? std::string() : pipeline_.understanding.front();
  }

  std::string named_target(const Node& node) {
    const auto& encoders = pipeline_.understanding;
    if (std::ranges::find(encoders, node.text) != encoders.end()) return node.text;
    diagnostics_.add(node.position,
                     fmt::format("`target` must be an encoder, or name one that is read with ({}), is {}",
                                 encoders.empty() ? "there is none" : fmt::to_string(fmt::join(encoders, ", ")),
                                 in_ticks(node.text)));
    return first_encoder();
  }

  const Node& node_;
  ComponentChecker& components_;
  Diagnostics& diagnostics_;
  PipelineChoices pipeline_;
};

}  // namespace

bool ComponentChoice::provides(std::string_view capability) const {
  const ComponentDescriptor* const component = entry.component;
  return component && std::ranges::find(component->provides, capability) != component->provides.end();
}

const ComponentChoice* PipelineChoices::find(std::string_view role) const {
  const auto part = parts.find(role);
  return part == parts.end() ? nullptr : &part->second;
}

std::vector<std::string> PipelineChoices::encoders() const {
  std::vector<std::string> roles = understanding;
  for (const LinkChoice& link : generation) {
    if (!link.target.empty() && std::ranges::find(roles, link.target) == roles.end()) roles.push_back(link.target);
  }
  return roles;
}

std::vector<std::string> PipelineChoices::roles() const {
  std::vector<std::string> result = encoders();
  if (find("backbone")) result.emplace_back("backbone");
  for (const LinkChoice& link : generation) {
    for (const LinkKey& key : short_link_keys) {
      if (!(link.*key.role).empty()) result.push_back(link.*key.role);
    }
  }
  if (find("decoder")) result.emplace_back("decoder");
  return result;
}

std::int64_t PipelineChoices::source_of(std::string_view role) const {
  const auto place = std::ranges::find(understanding, role);
  return place == understanding.end() ? -1 : place - understanding.begin();
}

std::string PipelineChoices::decoded() const {
  if (!generation.empty()) return generation.back().target;
  return understanding.empty() ? std::string() : understanding.front();
}

PipelineChoices check_pipeline(const Node& node, ComponentChecker& components, Diagnostics& diagnostics) {
  return PipelineChecker(node, components, diagnostics).check();
}

}  // namespace blip3u
