// Overrides: `path.to.key=value` from the command line.
#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "blip3u/utf8.h"
#include "recipe/diagnostics.h"
#include "recipe/node.h"

namespace blip3u {

namespace {

/// "path.to.key" -> path, to, key
std::vector<std::string> split_path(std::string_view text) {
  std::vector<std::string> parts;
  for (;;) {
    const auto dot = text.find('.');
    parts.emplace_back(text.substr(0, dot));
    if (dot == std::string_view::npos) return parts;
    text.remove_prefix(dot + 1);
  }
}

std::string joined(const std::vector<std::string>& path, std::size_t depth) {
  return fmt::format("{}", fmt::join(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(depth), "."));
}

/// What stages and tasks are called in paths.
std::string_view item_name(const Node& item) {
  const auto name = item.text_of("name");
  return name.empty() ? item.text_of("plugin") : name;
}

/// The list item that a path segment names: by the name of the stage or task (with or without its library), else by
/// index from 0.
Node* find_item(Node& list, const Change& change, std::size_t depth, Diagnostics& diagnostics) {
  const std::string& segment = change.path[depth];
  std::vector<Node*> matches;
  std::vector<std::string> names;
  for (Node& item : list.items) {
    const auto name = item_name(item);
    if (name.empty()) continue;
    names.emplace_back(name);
    if (name == segment || name.substr(name.find('/') + 1) == segment) matches.push_back(&item);
  }
  if (matches.size() == 1) return matches.front();
  const std::string where = joined(change.path, depth);
  if (matches.size() > 1) {
    diagnostics.add(change.position, fmt::format("`{}` has {} entries named {}; give the index instead, from 0", where,
                                                 matches.size(), in_ticks(segment)));
    return nullptr;
  }
  std::size_t index = 0;
  const char* end = segment.data() + segment.size();
  if (const auto [stop, code] = std::from_chars(segment.data(), end, index); code == std::errc() && stop == end) {
    if (index < list.items.size()) return &list.items[index];
    diagnostics.add(change.position, fmt::format("`{}` has {} entries, counted from 0, so there is no {}", where,
                                                 list.items.size(), segment));
    return nullptr;
  }
  diagnostics.add(change.position,
                  fmt::format("`{}` has no entry {}{}", where, in_ticks(segment), suggest(segment, names, "entries")));
  return nullptr;
}

Node empty_map(const Position& position) {
  Node node;
  node.type = Node::Type::map;
  node.position = position;
  return node;
}

/// Whether unknown keys are wrong is for the checker to say: it finds them under this override's position.
void apply(Node& root, Change change, Diagnostics& diagnostics) {
  Node* node = &root;
  Entry* owner = nullptr;  // of `node`, unless a list is
  for (std::size_t depth = 0; depth < change.path.size(); ++depth) {
    const std::string& segment = change.path[depth];
    const bool last = depth + 1 == change.path.size();
    if (node->is(Node::Type::list)) {
      owner = nullptr;
      node = find_item(*node, change, depth, diagnostics);
      if (!node) return;
    } else {
      if (node->is(Node::Type::null)) *node = empty_map(change.position);  // a part that was taken out comes back
      if (!node->is(Node::Type::map)) {
        diagnostics.add(change.position,
                        fmt::format("`{}` is a single value, so nothing in it can be set", joined(change.path, depth)));
        return;
      }
      const std::string_view plugin = node->text_of("plugin");
      if (last && segment == "plugin" && change.value.is(Node::Type::scalar) && !plugin.empty() &&
          plain_component_name(plugin) != plain_component_name(change.value.text)) {
        *node = empty_map(change.position);  // no parameter of the old component survives
        if (owner) owner->position = change.position;
      }
      Entry* entry = node->find(segment);
      if (!entry) {
        node->entries.push_back({segment, change.position, last ? Node() : empty_map(change.position)});
        entry = &node->entries.back();
      }
      if (last) entry->position = change.position;
      owner = entry;
      node = &entry->value;
    }
  }
  *node = std::move(change.value);
}

/// Parameters come after the component that they are for.
std::size_t order_of(const Change& change) { return change.path.size() - (change.path.back() == "plugin" ? 1 : 0); }

}  // namespace

std::optional<Change> read_change(const Position& position, std::string_view path, Diagnostics& diagnostics) {
  std::vector<std::string> parts = split_path(path);
  if (std::any_of(parts.begin(), parts.end(), [](const std::string& part) { return part.empty(); })) {
    diagnostics.add(position, "an override is written path.to.key=value, e.g. training.encoder.steps=100");
  } else if (parts.front() == "base") {
    diagnostics.add(position, "`base` cannot be overridden; name the other recipe file instead");
  } else {
    return Change{position, std::move(parts), {}};
  }
  return std::nullopt;
}

void apply_changes(Node& root, std::vector<Change> changes, Diagnostics& diagnostics) {
  std::stable_sort(changes.begin(), changes.end(),
                   [](const Change& a, const Change& b) { return order_of(a) < order_of(b); });
  for (Change& change : changes) {
    apply(root, std::move(change), diagnostics);
    expand_short_forms(root);
  }
}

void apply_overrides(Node& root, const std::vector<std::string>& overrides, Diagnostics& diagnostics) {
  std::vector<Change> changes;
  for (const std::string& text : overrides) {
    const auto source = std::make_shared<Source>(Source{fmt::format("override '{}'", text), {}});
    const Position position{source, 0, 0};
    if (first_not_utf8(text) != std::string::npos) {
      diagnostics.add(position, "is not UTF-8 text; write it in UTF-8");
      continue;
    }
    const auto equals = text.find('=');
    auto change =
        read_change(position, equals == std::string::npos ? "" : std::string_view(text).substr(0, equals), diagnostics);
    if (!change) continue;
    change->value = parse_yaml(text.substr(equals + 1), source, diagnostics);
    if (change->value.is(Node::Type::null)) change->value.position = position;
    changes.push_back(std::move(*change));
  }
  apply_changes(root, std::move(changes), diagnostics);
}

}  // namespace blip3u
