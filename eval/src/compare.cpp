#include "eval/compare.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>
#include <nlohmann/json.hpp>

#include "blip3u/error.h"
#include "eval/records.h"
#include "running/run_directory.h"

namespace blip3u::eval {

namespace {

namespace fs = std::filesystem;
using Settings = std::map<std::string, std::string>;  // path.to.key -> value

void flatten(const YAML::Node& node, const std::string& path, Settings& settings) {
  const auto below = [&](const std::string& key) { return path.empty() ? key : path + "." + key; };
  if (node.IsMap()) {
    for (const auto& entry : node) flatten(entry.second, below(entry.first.as<std::string>()), settings);
  } else if (node.IsSequence()) {
    std::string scalars;
    for (std::size_t i = 0; i < node.size(); ++i) {
      if (node[i].IsScalar()) {
        if (!scalars.empty()) scalars += ", ";
        scalars += node[i].Scalar();
      } else {
        const bool named = node[i].IsMap() && node[i]["name"];
        flatten(node[i], below(named ? node[i]["name"].as<std::string>() : std::to_string(i)), settings);
      }
    }
    if (!scalars.empty() || node.size() == 0) settings[path] = "[" + scalars + "]";
  } else {
    settings[path] = node.IsNull() ? "" : node.Scalar();
  }
}

/// What makes results differ besides the seed.
struct Cause {
  Settings settings;    // without what the run is called, where it ran and where its plugins lay
  std::string plugins;  // their builds, which no title can show

  bool operator==(const Cause&) const = default;
};

struct Origin {
  std::string name, seed;
  Cause cause;
};

Origin read_origin(const fs::path& run) {
  const auto file = run / "resolved.yaml";
  Origin origin;
  Settings& settings = origin.cause.settings;
  try {
    flatten(YAML::LoadFile(file.string()), "", settings);
  } catch (const YAML::Exception& error) {
    throw Error(
        fmt::format("{} cannot be read: {}; give the folders of runs that have finished", file.string(), error.what()));
  }
  origin.name = settings["name"];
  origin.seed = settings["seed"];
  for (const char* key : {"name", "seed", "output", "device", "plugin_folders"}) settings.erase(key);
  for (const auto& plugin : RunDirectory(run).manifest().value("plugins", nlohmann::json::array())) {
    origin.cause.plugins += plugin.value("name", "") + ' ' + plugin.value("sha256", "") + '\n';
  }
  return origin;
}

/// Runs that differ in nothing but the seed.
struct Column {
  Cause cause;
  std::string title;
  std::set<std::string> seeds;
  std::vector<std::map<std::string, Score>> runs;
};

bool starts_with_component(const std::string& key, const std::set<std::string>& components) {
  return std::ranges::any_of(components, [&](const std::string& path) { return key.starts_with(path + "."); });
}

/// What differs from the first column's recipe. A component that is another plugin says only that: its parameters are
/// bound to differ too.
std::string difference(const Settings& first, const Settings& other) {
  constexpr std::string_view plugin = ".plugin";
  std::vector<std::pair<std::string, std::string>> changed;
  for (const auto& [key, value] : other) {
    const auto before = first.find(key);
    if (before == first.end() || before->second != value) changed.emplace_back(key, value);
  }
  for (const auto& [key, value] : first) {
    if (!other.contains(key)) changed.emplace_back(key, "none");
  }
  std::set<std::string> components;
  for (const auto& [key, value] : changed) {
    if (key.ends_with(plugin)) components.insert(key.substr(0, key.size() - plugin.size()));
  }
  std::vector<std::string> shown;
  for (const auto& [key, value] : changed) {
    if (key.ends_with(plugin) || !starts_with_component(key, components))
      shown.push_back(fmt::format("{}={}", key, value));
  }
  std::string title;
  constexpr std::size_t most = 4;
  for (std::size_t i = 0; i < std::min(most, shown.size()); ++i) {
    if (i > 0) title += ' ';
    title += shown[i];
  }
  if (shown.size() > most) title += fmt::format(" and {} more", shown.size() - most);
  return title;
}

std::string cell(const Column& column, const std::string& score) {
  std::vector<double> values;
  const Score* found = nullptr;
  for (const auto& run : column.runs) {
    const auto entry = run.find(score);
    if (entry == run.end()) continue;
    found = &entry->second;
    values.push_back(found->value);
  }
  if (found == nullptr) return "n/a";
  if (column.runs.size() == 1) return fmt::format("{:.3f} [{:.3f}, {:.3f}]", found->value, found->low, found->high);
  double sum = 0;
  for (const double value : values) sum += value;
  auto text = fmt::format("{:.3f} [{:.3f}, {:.3f}]", sum / static_cast<double>(values.size()), std::ranges::min(values),
                          std::ranges::max(values));
  if (values.size() < column.runs.size()) text += fmt::format(" n={}", values.size());
  return text;
}

std::string aligned(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(rows.front().size(), 3);
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = 0; j < widths.size(); ++j) text += fmt::format("| {:<{}} ", rows[i][j], widths[j]);
    text += "|\n";
    if (i > 0) continue;
    for (const auto width : widths) text += fmt::format("|{:-<{}}", "", width + 2);
    text += "|\n";
  }
  return text;
}

}  // namespace

std::string compare_runs(const std::vector<fs::path>& runs) {
  if (runs.empty()) throw Error(Fault::usage, "compare: name at least one run directory");
  std::map<std::string, std::set<std::string>> tasks_of;  // by the name of a score
  for (const auto& run : runs) {
    for (const auto& task : read_task_records(run)) {
      for (const auto& score : task.scores) tasks_of[score.name].insert(task.name);
    }
  }
  std::vector<Column> columns;
  std::vector<std::string> names, references;  // of scores, as they first appear
  for (const auto& run : runs) {
    Origin origin = read_origin(run);
    std::map<std::string, Score> scores;
    for (const auto& task : read_task_records(run)) {
      for (const auto& score : task.scores) {
        auto& known = score.reference ? references : names;
        const bool shared = tasks_of[score.name].size() > 1;
        const std::string name = shared ? fmt::format("{} ({})", score.name, task.name) : score.name;
        if (std::ranges::find(known, name) == known.end()) known.push_back(name);
        scores.emplace(name, score);
      }
    }
    auto column = std::ranges::find_if(columns, [&](const Column& known) {
      return known.cause == origin.cause && !known.seeds.contains(origin.seed);
    });
    if (column == columns.end()) {
      auto title = columns.empty() ? origin.name : difference(columns.front().cause.settings, origin.cause.settings);
      const bool taken = std::ranges::find(columns, title, &Column::title) != columns.end();
      if (title.empty() || taken) title = run.string();
      columns.push_back({.cause = std::move(origin.cause), .title = std::move(title), .seeds = {}, .runs = {}});
      column = columns.end() - 1;
    }
    column->seeds.insert(origin.seed);
    column->runs.push_back(std::move(scores));
  }

  std::vector<std::vector<std::string>> rows(1, {"score"});
  bool several = false;
  for (const auto& column : columns) {
    several = several || column.runs.size() > 1;
    rows[0].push_back(column.runs.size() == 1 ? column.title
                                              : fmt::format("{} ({} seeds)", column.title, column.runs.size()));
  }
  const auto add_row = [&](const std::string& score, const std::string& mark) {
    rows.emplace_back(1, score + mark);
    for (const auto& column : columns) rows.back().push_back(cell(column, score));
  };
  for (const auto& score : names) add_row(score, "");
  for (const auto& score : references) add_row(score, " (reference)");
  return aligned(rows) + "\nOne run: value [95 % interval]." +
         (several ? " Several seeds: mean [least, greatest].\n" : "\n");
}

}  // namespace blip3u::eval
