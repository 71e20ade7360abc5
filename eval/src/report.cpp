#include "eval/report.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "blip3u/error.h"
#include "blip3u/image.h"
#include "eval/records.h"
#include "html.h"
#include "io/base64.h"
#include "io/files.h"
#include "io/progress.h"
#include "running/run_directory.h"

namespace blip3u::eval {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Each function below gives one part of the values that eval/templates/report.html shows.

std::string plain(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return fmt::format("{:.4g}", value.get<double>());
  if (value.is_array()) {
    std::string text;
    for (const auto& item : value) {
      if (!text.empty()) text += ' ';
      text += plain(item);
    }
    return text;
  }
  return value.dump();
}

/// A name in parts, after each of which a narrow screen may break the line.
json in_parts(const std::string& name) {
  json parts = json::array();
  std::string part;
  for (const char character : name) {
    part += character;
    if (character != '/' && character != '_') continue;
    parts.push_back(part);
    part.clear();
  }
  parts.push_back(part);
  return parts;
}

/// The values that a score is drawn against: references that are named after it ("generation/seen_shuffled" belongs to
/// "generation/seen"), and those of its protocol that are named after no score.
std::vector<double> references_of(const Score& score, const std::vector<Score>& all) {
  std::vector<double> values;
  for (const auto& reference : all) {
    if (!reference.reference || reference.protocol != score.protocol) continue;
    const bool has_owner = std::ranges::any_of(
        all, [&](const Score& other) { return !other.reference && reference.name.starts_with(other.name); });
    if (!has_owner || reference.name.starts_with(score.name)) values.push_back(reference.value);
  }
  return values;
}

json score_values(const Score& score, const std::vector<Score>& all) {
  const auto x = [](double share) { return 3 + 194 * std::clamp(share, 0.0, 1.0); };  // on the bar, which is 200 wide
  json marks = json::array();
  if (!score.reference) {
    for (const double reference : references_of(score, all)) marks.push_back(fmt::format("{:.1f}", x(reference)));
  }
  return {{"parts", in_parts(score.name)},
          {"protocol", score.protocol},
          {"count", score.count},
          {"interval", score.interval},
          {"lower_is_better", !score.higher_is_better},
          {"reference", score.reference},
          {"value", fmt::format("{:.3f}", score.value)},
          {"low", fmt::format("{:.3f}", score.low)},
          {"high", fmt::format("{:.3f}", score.high)},
          {"marks", marks},
          {"band_x", fmt::format("{:.1f}", x(score.low))},
          {"band_width", fmt::format("{:.1f}", std::max(1.0, x(score.high) - x(score.low)))},
          {"dot_x", fmt::format("{:.1f}", x(score.value) - 1)}};
}

json tasks_values(const std::vector<TaskRecord>& tasks) {
  json all = json::array();
  for (const auto& task : tasks) {
    json scores = json::array();
    for (const auto& score : task.scores) scores.push_back(score_values(score, task.scores));
    all.push_back({{"task", task.name}, {"reason", task.reason}, {"scores", scores}});
  }
  return all;
}

json sheets_values(const RunDirectory& run, const std::vector<TaskRecord>& tasks) {
  json sheets = json::array();
  for (const auto& task : tasks) {
    json pictures = json::array();
    for (const auto& picture : run.pictures(task.name)) {
      pictures.push_back(
          {{"label", picture.label}, {"good", picture.good}, {"png", base64(encode_png(from_bytes(picture.image)))}});
    }
    if (!pictures.empty()) sheets.push_back({{"task", task.name}, {"pictures", pictures}});
  }
  return sheets;
}

/// Their charts go into the page as they are: SVG that the toolkit wrote.
json stages_values(const RunDirectory& run, const json& metrics, const json& manifest) {
  const auto seconds = manifest.value("seconds", json::object());
  json stages = json::array();
  for (const auto& stage : metrics.value("stages", json::array())) {
    const auto name = stage.value("name", "");
    std::string losses;
    const auto last = stage.value("losses", json::object());  // items() refers to it
    for (const auto& [loss, value] : last.items()) {
      losses += fmt::format("{}{} {}", losses.empty() ? "" : ", ", loss, plain(value));
    }
    const auto time = seconds.is_object() ? seconds.find("stage " + name) : seconds.end();
    const fs::path chart = run.chart_file(name);
    const bool timed = time != seconds.end() && time->is_number();
    stages.push_back({{"stage", name},
                      {"steps", plain(stage.value("steps", json()))},
                      {"time", timed ? duration_text(time->get<double>()) : "–"},
                      {"losses", losses},
                      {"chart", fs::exists(chart) ? read_text(chart) : ""}});
  }
  return stages;
}

/// The most frequent confusions of one task, each with an example.
json mistakes(const fs::path& file, const std::string& task) {
  struct Confusion {
    std::int64_t count = 0;
    std::string example;
  };
  std::map<std::pair<std::string, std::string>, Confusion> confusions;
  std::int64_t wrong = 0, all = 0;
  const std::string text = read_text(file);
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    const auto item = json::parse(text.begin() + static_cast<std::ptrdiff_t>(at),
                                  text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    at = end + 1;
    if (!item.is_object()) continue;
    ++all;
    if (item.value("score", 1.0) != 0.0 || item.value("expected", "").empty()) continue;  // right, or nothing is right
    ++wrong;
    auto& confusion = confusions[{item.value("expected", ""), item.value("output", "")}];
    if (confusion.count++ == 0) confusion.example = item.value("id", "") + ": " + item.value("input", "");
  }
  if (wrong == 0) return {};
  std::vector<std::pair<std::pair<std::string, std::string>, Confusion>> ranked(confusions.begin(), confusions.end());
  std::ranges::stable_sort(ranked, [](const auto& a, const auto& b) { return a.second.count > b.second.count; });
  if (ranked.size() > 8) ranked.resize(8);
  json rows = json::array();
  for (const auto& [words, confusion] : ranked) {
    rows.push_back({{"expected", words.first},
                    {"output", words.second},
                    {"times", confusion.count},
                    {"example", confusion.example}});
  }
  return {{"task", task}, {"wrong", wrong}, {"all", all}, {"rows", rows}};
}

json all_mistakes(const RunDirectory& run, const std::vector<TaskRecord>& tasks) {
  json found = json::array();
  for (const auto& task : tasks) {
    const auto file = run.items_file(task.name);
    json of_task = fs::exists(file) ? mistakes(file, task.name) : json();
    if (!of_task.is_null()) found.push_back(std::move(of_task));
  }
  return found;
}

json manifest_values(const json& manifest) {
  json rows = json::array();
  const auto row = [&](const std::string& key, const std::string& text) {
    rows.push_back({{"key", key}, {"text", text}});
  };
  for (const auto& [key, value] : manifest.items()) {
    if (key == "seconds" && value.is_object()) {
      for (const auto& [part, seconds] : value.items()) {
        row("time of " + part, seconds.is_number() ? duration_text(seconds.get<double>()) : plain(seconds));
      }
    } else if (key == "plugins" && value.is_array()) {
      for (const auto& plugin : value) {
        row("plugin " + plugin.value("name", ""), fmt::format("{} {} sha256 {}", plugin.value("file", ""),
                                                              plugin.value("version", ""), plugin.value("sha256", "")));
      }
    } else {
      row(key, plain(value));
    }
  }
  return rows;
}

}  // namespace

void write_report(const fs::path& run_directory) {
  const RunDirectory run(run_directory);
  const auto manifest = read_manifest(run_directory);
  const auto metrics = read_metrics(run_directory);
  const auto tasks = read_task_records(run_directory);
  try {
    const std::string status = manifest.value("status", "unknown");
    const json sheets = sheets_values(run, tasks), stages = stages_values(run, metrics, manifest);
    const json mistaken = all_mistakes(run, tasks);
    const json values = {{"name", manifest.value("name", "run")},
                         {"complete", status == "complete"},
                         {"status", status},
                         {"seed", plain(manifest.value("seed", json()))},
                         {"device", manifest.value("device", "unknown device")},
                         {"finished", manifest.value("finished", manifest.value("started", ""))},
                         {"hash", manifest.value("hash", "").substr(0, 12)},
                         {"has_tasks", !tasks.empty()},
                         {"tasks", tasks_values(tasks)},
                         {"has_sheets", !sheets.empty()},
                         {"sheets", sheets},
                         {"has_stages", !stages.empty()},
                         {"stages", stages},
                         {"has_mistakes", !mistaken.empty()},
                         {"mistakes", mistaken},
                         {"recipe", read_text(run.recipe_file())},
                         {"manifest", manifest_values(manifest)}};
    write_atomically(run_directory / "report.html", html::page("report", values));
  } catch (const json::exception& error) {
    throw Error(
        fmt::format("{}: manifest.json, metrics.json or an item is damaged: {}; delete it and run the recipe again",
                    run_directory.string(), error.what()));
  }
}

}  // namespace blip3u::eval
