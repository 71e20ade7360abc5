// Components of a recipe: finding them, their parameters, and whether they fit together.
#include <algorithm>
#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "io/content.h"
#include "recipe/check.h"

namespace blip3u {

namespace {

bool is_component_name(std::string_view name) {
  const auto slash = name.find('/');
  if (slash == std::string_view::npos) return is_plain_name(name);
  return is_plain_name(name.substr(0, slash)) && is_plain_name(name.substr(slash + 1));
}

std::string title(const ComponentChoice& choice) { return fmt::format("{} `{}`", kind_name(choice.kind), choice.name); }

bool contains(std::span<const char* const> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

const ParameterSpec& loss_weight_schema() {
  static constexpr ParameterSpec weight =
      number("weight", 1, 0, std::numeric_limits<double>::infinity(), "factor of this term of the loss");
  return weight;
}

std::span<const ParameterSpec> weights_schema() {
  static constexpr ParameterSpec schema[] = {
      required(path("from", "", "folder with .safetensors files and what belongs to them, as Hugging Face has them")),
      text("subfolder", "", "of that folder, where it holds several parts")};
  return schema;
}

bool takes_weights(Kind kind) {
  switch (kind) {
    case Kind::encoder:
    case Kind::backbone:
    case Kind::denoiser:
    case Kind::decoder:
    case Kind::tokenizer: return true;
    default: return false;
  }
}

const char* unset_member(Kind kind, const Wiring& wiring) {
  switch (kind) {
    case Kind::encoder: return wiring.features.tokens > 0 && wiring.features.width > 0 ? nullptr : "features";
    case Kind::backbone: return wiring.backbone_width > 0 ? nullptr : "backbone_width";
    default: return nullptr;
  }
}

ComponentChoice ComponentChecker::add(Kind kind, const Node& node, const Position& where,
                                      std::span<const char* const> caller_keys, const std::string& role) {
  Placed placed{{kind, {}, {}, {}}, &node, where, role};
  const bool found = find(placed);
  all_found_ = all_found_ && found;
  if (found) {
    const ComponentDescriptor& component = *placed.choice.entry.component;
    std::vector<const char*> others(caller_keys.begin(), caller_keys.end());
    others.push_back("plugin");
    for (const ParameterSpec& spec : component.parameters) {
      if (!contains(caller_keys, spec.name)) continue;
      diagnostics_.add(where,
                       fmt::format("{} has a parameter `{}`, which is a key of the recipe's own there; its "
                                   "author must rename it",
                                   title(placed.choice), spec.name),
                       Fault::plugin);
    }
    if (!component.losses.empty()) others.push_back("loss_weights");
    if (takes_weights(kind)) others.push_back("weights");
    CheckedMap checked = check_map(node, where, title(placed.choice), component.parameters, others, diagnostics_);
    placed.choice.parameters = std::move(checked.parameters);
    read_loss_weights(placed);
    read_weights(placed);
    read_contents(placed);
    all_valid_ = all_valid_ && checked.valid;
    placed_.push_back(placed);
  }
  return placed.choice;
}

void ComponentChecker::read_loss_weights(Placed& placed) {
  const ParameterSpec& weight = loss_weight_schema();
  const auto losses = placed.choice.entry.component->losses;
  for (const char* loss : losses) placed.choice.loss_weights[loss] = weight.default_number;
  const Node* node = losses.empty() ? nullptr : placed.node->value("loss_weights");
  if (!node) return;
  if (!node->is(Node::Type::map)) expected(*node, "loss_weights", "a map of loss names to numbers", diagnostics_);
  for (const Entry& entry : node->entries) {
    ParameterValue value;
    if (!contains(losses, entry.key)) {
      diagnostics_.add(entry.position, fmt::format("unknown loss {} in {}{}", in_ticks(entry.key), title(placed.choice),
                                                   suggest(entry.key, {losses.begin(), losses.end()}, "losses")));
    } else if (read_value(entry.value, entry.key, weight, value, diagnostics_)) {
      placed.choice.loss_weights[entry.key] = std::get<double>(value);
    }
  }
}

void ComponentChecker::read_weights(Placed& placed) {
  const Node* node = takes_weights(placed.choice.kind) ? placed.node->value("weights") : nullptr;
  if (!node || node->is(Node::Type::null)) return;  // `weights: null` takes out the base's
  if (!node->is(Node::Type::map)) return expected(*node, "weights", "a map, such as {from: FOLDER}", diagnostics_);
  const CheckedMap checked = check_map(*node, node->position, "`weights`", weights_schema(), {}, diagnostics_);
  if (!checked.valid) return;
  placed.choice.weights = {checked.parameters.text("from"), checked.parameters.text("subfolder")};
  std::error_code missing;
  if (std::filesystem::is_directory(placed.choice.weights->folder(), missing)) return;
  diagnostics_.add(node->value("from")->position,
                   fmt::format("{}: there is no folder {}; name one with .safetensors files", title(placed.choice),
                               in_ticks(placed.choice.weights->folder().string())));
}

void ComponentChecker::read_contents(Placed& placed) {
  ComponentChoice& choice = placed.choice;
  if (choice.kind == Kind::dataset) return;
  if (choice.weights) choice.contents["weights"] = content_hash(choice.weights->folder());
  for (const ParameterSpec& spec : choice.entry.component->parameters) {
    if (spec.type != ParameterType::path) continue;
    const std::string& path = choice.parameters.text(spec.name);
    if (!path.empty()) choice.contents[spec.name] = content_hash(path);
  }
}

bool ComponentChecker::find(Placed& placed) {
  const Kind kind = placed.choice.kind;
  const char* kind_text = kind_name(kind);
  if (!placed.node->is(Node::Type::map)) {
    expected(*placed.node, kind_text, "the name of a component, or a map with `plugin`", diagnostics_);
    return false;
  }
  const Node* plugin = placed.node->value("plugin");
  if (!plugin) {
    diagnostics_.add(placed.where, fmt::format("missing key `plugin` in this {}: the name of a component", kind_text));
    return false;
  }
  if (!plugin->is(Node::Type::scalar) || !is_component_name(plugin->text)) {
    expected(*plugin, "plugin", "the name of a component: `name`, or `library/name`", diagnostics_);
    return false;
  }
  placed.choice.name = plain_component_name(plugin->text);
  try {
    placed.choice.entry = catalog_.find(kind, placed.choice.name);
  } catch (const Error& error) {
    diagnostics_.add(plugin->position, fmt::format("{}: {}", title(placed.choice), error.what()), error.fault());
    return false;
  }
  if (placed.choice.entry.component) return true;
  diagnostics_.add(plugin->position,
                   fmt::format("there is no {}{}", title(placed.choice),
                               suggest(placed.choice.name, catalog_.names(kind), fmt::format("{}s", kind_text))));
  return false;
}

Wiring ComponentChecker::wire(std::int64_t image_size, PipelineChoices& pipeline) {
  Wiring shared;
  shared.image_size = image_size;
  if (!all_found_) return shared;
  for (Placed& placed : placed_) check_needs(placed, pipeline);
  if (!all_valid_) return shared;
  const auto give = [&](const std::string& role, const Wiring& wiring) {
    if (const auto part = pipeline.parts.find(role); part != pipeline.parts.end()) part->second.wiring = wiring;
  };
  check_kind(Kind::dataset, shared);
  check_kind(Kind::tokenizer, shared);

  std::map<std::string, Layout> made;  // by encoder
  for (const std::string& role : pipeline.encoders()) {
    Wiring& own = pipeline.parts.at(role).wiring = shared;
    check_role(role, own);
    made[role] = own.features;
    shared.facts = own.facts;
  }
  for (const std::string& role : pipeline.understanding) shared.reads.push_back(made[role]);
  if (!shared.reads.empty()) shared.features = shared.reads.front();
  check_role("backbone", shared);

  Layout previous;
  for (const LinkChoice& link : pipeline.generation) {
    Wiring own = shared;
    own.features = made[link.target];
    own.previous = previous;
    own.objective.clear();
    for (const LinkKey& key : short_link_keys) check_role(link.*key.role, own);
    for (const LinkKey& key : short_link_keys) give(link.*key.role, own);
    previous = own.features;
    shared.extra_words = own.extra_words;
    shared.facts = own.facts;
    shared.objective = own.objective;
  }
  give("backbone", shared);  // with the words of all links
  shared.features = made[pipeline.decoded()];
  check_role("decoder", shared);
  give("decoder", shared);
  check_kind(Kind::task, shared);
  return shared;
}

void ComponentChecker::check_kind(Kind kind, Wiring& wiring) {
  for (const Placed& placed : placed_) {
    if (placed.choice.kind == kind) run_check(placed, wiring);
  }
}

void ComponentChecker::check_role(const std::string& role, Wiring& wiring) {
  for (const Placed& placed : placed_) {
    if (!role.empty() && placed.role == role) run_check(placed, wiring);
  }
}

bool ComponentChecker::reaches(const Placed& placed, const Placed& other, const PipelineChoices& pipeline) {
  const auto link_of = [&](const std::string& role) -> const LinkChoice* {
    for (const LinkChoice& link : pipeline.generation) {
      for (const LinkKey& key : short_link_keys) {
        if (!role.empty() && link.*key.role == role) return &link;
      }
    }
    return nullptr;
  };
  const LinkChoice* const own = link_of(placed.role);
  const LinkChoice* const others = link_of(other.role);
  if (own && others) return own == others;
  if (other.choice.kind != Kind::encoder) return true;
  if (own) return other.role == own->target;
  if (placed.choice.kind == Kind::decoder) return other.role == pipeline.decoded();
  return true;
}

void ComponentChecker::check_needs(Placed& placed, const PipelineChoices& pipeline) {
  for (const char* need : placed.choice.entry.component->needs) {
    const bool provided = std::any_of(placed_.begin(), placed_.end(), [&](const Placed& other) {
      return &other != &placed && reaches(placed, other, pipeline) && other.choice.provides(need);
    });
    if (provided) continue;
    placed.provided = false;
    diagnostics_.add(placed.where, fmt::format("{} needs `{}`, which nothing that it works with provides; {}",
                                               title(placed.choice), need, providers_of(need)));
  }
}

std::string ComponentChecker::providers_of(std::string_view capability) {
  std::vector<std::string> groups;
  for (const Kind kind :
       {Kind::encoder, Kind::backbone, Kind::denoiser, Kind::sampler, Kind::decoder, Kind::tokenizer, Kind::dataset}) {
    std::vector<std::string> names;
    for (const std::string& name : catalog_.names(kind)) {
      const CatalogEntry entry = catalog_.find(kind, name);
      if (entry.component && contains(entry.component->provides, capability)) names.push_back(name);
    }
    if (!names.empty()) groups.push_back(fmt::format("{}s that do: {}", kind_name(kind), fmt::join(names, ", ")));
  }
  return groups.empty() ? "no installed plugin does" : fmt::format("{}", fmt::join(groups, "; "));
}

void ComponentChecker::run_check(const Placed& placed, Wiring& wiring) {
  const ComponentDescriptor& component = *placed.choice.entry.component;
  if (component.check) {
    try {
      component.check(placed.choice.parameters, wiring);
    } catch (...) {
      diagnostics_.add(
          placed.where,
          fmt::format("{}: its `check` threw an exception; it must report by Wiring::reject", title(placed.choice)),
          Fault::plugin);
      wiring.problems.clear();
      return;
    }
  }
  const bool silent = wiring.problems.empty();
  for (const Wiring::Problem& problem : wiring.problems) {
    if (!placed.provided && problem.parameter.empty()) continue;  // no more than that, once again
    const Node* value = placed.node->value(problem.parameter);
    std::string remark;  // the parameter to blame is not there to be pointed at
    const auto& values = placed.choice.parameters.values();
    if (const auto used = values.find(problem.parameter); !value && used != values.end()) {
      remark = fmt::format(" (`{}` has its default, {})", problem.parameter, yaml_text(used->second));
    }
    diagnostics_.add(value ? value->position : placed.where,
                     fmt::format("{}: {}{}", title(placed.choice), problem.message, remark));
  }
  wiring.problems.clear();
  if (const char* const member = unset_member(component.kind, wiring); silent && member) {
    diagnostics_.add(
        placed.where,
        fmt::format("{} does not say what it makes: its `check` must set `{}`", title(placed.choice), member),
        Fault::plugin);
  }
}

}  // namespace blip3u
