// A recipe as a located tree: every value knows the file, line and column it came from.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace blip3u {

class Diagnostics;

/// A text that values come from: a recipe file, or one override.
struct Source {
  std::string name;                ///< as messages call it
  std::vector<std::string> lines;  ///< none for an override, whose name is its text
};

/// Where a value stands. Lines and columns (in characters) count from 1; line 0 is the source as a whole.
struct Position {
  std::shared_ptr<const Source> source;
  int line = 0;
  int column = 0;
};

struct Entry;

struct Node {
  enum class Type {
    null,
    scalar,
    list,
    map,
    invalid,  ///< what could not be used and has been reported
  };
  Type type = Type::null;
  Position position;
  std::string text;     ///< of a scalar
  bool quoted = false;  ///< of a scalar: it is text, whatever it looks like
  std::vector<Node> items;
  std::vector<Entry> entries;  ///< in the order of the file, keys unique

  bool is(Type other) const { return type == other; }
  Entry* find(std::string_view key);
  const Entry* find(std::string_view key) const;
  const Node* value(std::string_view key) const;  ///< nullptr if absent

  /// The scalar text under a key; empty if there is none.
  std::string_view text_of(std::string_view key) const;
};

struct Entry {
  std::string key;
  Position position;  ///< of the key
  Node value;
};

/// `x` for the component name `x/x`, else the name itself.
std::string plain_component_name(std::string_view name);

/// Parses one YAML document. Trouble that leaves a usable tree is added to `diagnostics` and reading goes on; where no
/// tree is left, throws Error with all of them.
Node parse_yaml(const std::string& text, const std::shared_ptr<Source>& source, Diagnostics& diagnostics);

/// Reads a recipe file and merges it over its base recipes. `text` becomes the content of the file itself.
Node load_tree(const std::filesystem::path& file, std::string& text, Diagnostics& diagnostics);

/// Writes components that are given by name alone (`encoder: clip`) as maps.
void expand_short_forms(Node& root);

/// One value of a tree that is to be another.
struct Change {
  Position position;
  std::vector<std::string> path;
  Node value;
};

/// A change of what stands under a path, without a value as yet. Reports, and returns none, what no override can
/// change.
std::optional<Change> read_change(const Position& position, std::string_view path, Diagnostics& diagnostics);

/// Shorter paths come first, whatever the order given, and a component's `plugin` before its parameters; of two for one
/// path the last wins.
void apply_changes(Node& root, std::vector<Change> changes, Diagnostics& diagnostics);

/// The same for overrides as the command line has them, `path.to.key=value`.
void apply_overrides(Node& root, const std::vector<std::string>& overrides, Diagnostics& diagnostics);

}  // namespace blip3u
