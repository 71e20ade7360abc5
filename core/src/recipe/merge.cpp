// Recipe files and their bases.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "blip3u/utf8.h"
#include "recipe/diagnostics.h"
#include "recipe/node.h"

namespace blip3u {

namespace {

constexpr std::size_t largest_file = 1 << 20;  // bytes; recipes have a few thousand

/// Fills `text`; returns what is wrong, or nothing.
std::string read_recipe_file(const std::filesystem::path& file, std::string& text) {
  std::error_code code;
  const auto status = std::filesystem::status(file, code);
  if (status.type() == std::filesystem::file_type::not_found) return "no such file";
  if (std::filesystem::is_directory(status)) return "is a folder, not a recipe; name the YAML file";
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return fmt::format("cannot be read ({})", std::strerror(errno));
  text.resize(largest_file + 1);
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) return "cannot be read";
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > largest_file) return "is larger than 1 MiB; this is no recipe";
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  if (const auto offset = first_not_utf8(text); offset != std::string_view::npos) {
    return fmt::format("not YAML: byte {} is not UTF-8 text", offset);
  }
  return {};
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (lines.empty()) lines.emplace_back();
  return lines;
}

/// Maps merge key by key; everything else replaces, and so does a component with another plugin.
void merge(Node& base, Node over) {
  if (!base.is(Node::Type::map) || !over.is(Node::Type::map)) {
    base = std::move(over);
    return;
  }
  const auto plugin = over.text_of("plugin");
  if (!plugin.empty() && plain_component_name(plugin) != plain_component_name(base.text_of("plugin"))) {
    base = std::move(over);
    return;
  }
  base.position = over.position;
  std::map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < base.entries.size(); ++i) places.emplace(base.entries[i].key, i);
  for (Entry& entry : over.entries) {
    if (const auto place = places.find(entry.key); place != places.end()) {
      Entry& old = base.entries[place->second];
      old.position = entry.position;
      merge(old.value, std::move(entry.value));
    } else {
      base.entries.push_back(std::move(entry));
    }
  }
}

class Loader {
 public:
  explicit Loader(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  /// `asked_at` is where a recipe names this one as its base.
  Node load(const std::filesystem::path& file, const Position* asked_at, std::string& text) {
    const auto source = std::make_shared<Source>(Source{file.string(), {}});
    refuse_cycle(file, asked_at);
    if (const std::string problem = read_recipe_file(file, text); !problem.empty()) {
      if (asked_at) {
        diagnostics_.add(*asked_at, fmt::format("base {}: {}", in_ticks(file.string()), problem));
      } else {
        diagnostics_.add({source, 0, 0}, problem);
      }
      diagnostics_.raise();
    }
    source->lines = split_lines(text);
    Node root = parse_yaml(text, source, diagnostics_);
    if (!root.is(Node::Type::map)) {
      const bool empty = root.is(Node::Type::null);
      diagnostics_.add(empty ? Position{source, 0, 0} : root.position,
                       empty ? "is empty; a recipe is a map of keys, which recipes/README.md explains"
                             : fmt::format("a recipe must be a map of keys, is {}",
                                           root.is(Node::Type::list) ? "a list" : "a single value"));
      diagnostics_.raise();
    }
    expand_short_forms(root);
    return merge_over_base(std::move(root), file);
  }

 private:
  void refuse_cycle(const std::filesystem::path& file, const Position* asked_at) {
    std::error_code code;
    const auto identity = std::filesystem::weakly_canonical(file, code);
    const bool repeats =
        std::any_of(chain_.begin(), chain_.end(), [&](const auto& link) { return link.second == identity; });
    chain_.emplace_back(file.string(), identity);
    if (!repeats) return;
    std::vector<std::string> names;
    for (const auto& link : chain_) names.push_back(link.first);
    diagnostics_.add(*asked_at, fmt::format("`base` goes in a circle: {}", fmt::join(names, " -> ")));
    diagnostics_.raise();
  }

  Node merge_over_base(Node root, const std::filesystem::path& file) {
    const auto base =
        std::find_if(root.entries.begin(), root.entries.end(), [](const Entry& entry) { return entry.key == "base"; });
    if (base == root.entries.end()) return root;
    const Node value = std::move(base->value);
    root.entries.erase(base);
    if (!value.is(Node::Type::scalar) || value.text.empty()) {
      diagnostics_.add(value.position, "`base` must be the path of one recipe, relative to this file");
      return root;
    }
    std::string unused;
    Node parent = load((file.parent_path() / value.text).lexically_normal(), &value.position, unused);
    merge(parent, std::move(root));
    return parent;
  }

  Diagnostics& diagnostics_;
  std::vector<std::pair<std::string, std::filesystem::path>> chain_;  // from the recipe to its base, with identities
};

}  // namespace

Node load_tree(const std::filesystem::path& file, std::string& text, Diagnostics& diagnostics) {
  return Loader(diagnostics).load(file, nullptr, text);
}

}  // namespace blip3u
