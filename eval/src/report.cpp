#include "eval/report.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "blip3u/error.h"
#include "eval/records.h"
#include "html.h"
#include "io/files.h"
#include "io/progress.h"
#include "training/run_directory.h"

namespace blip3u::eval {

namespace {

namespace fs = std::filesystem;
using html::escape;
using nlohmann::json;

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

std::vector<fs::path> pictures_in(const fs::path& folder) {
  std::vector<fs::path> files;
  if (!fs::is_directory(folder)) return files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().extension() == ".png") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

/// One mark in the head: is the run's outcome whole?
std::string heading(const json& manifest) {
  const auto status = manifest.value("status", "unknown");
  return fmt::format(
      "<h1>{}</h1>\n<p class=\"soft\"><span class=\"badge {}\">{}</span> seed {} &middot; {} &middot; {} &middot; run "
      "{}</p>\n",
      escape(manifest.value("name", "run")), status == "complete" ? "good" : "bad", escape(status),
      escape(plain(manifest.value("seed", json()))), escape(manifest.value("device", "unknown device")),
      escape(manifest.value("finished", manifest.value("started", ""))),
      escape(manifest.value("hash", "").substr(0, 12)));
}

/// A name that narrow screens may break after its slashes and underscores.
std::string breakable(const std::string& name) {
  std::string text;
  for (const char character : name) {
    text += escape(std::string_view(&character, 1));
    if (character == '/' || character == '_') text += "<wbr>";
  }
  return text;
}

std::string score_row(const Score& score, const std::vector<double>& references) {
  return fmt::format(
      "<tr{}><td>{}<small>{}, n = {}, {}{}</small></td><td class=\"number\">{:.3f}<small>[{:.3f}, "
      "{:.3f}]</small></td><td class=\"bar\">{}</td></tr>\n",
      score.reference ? " class=\"reference\"" : "", breakable(score.name), escape(score.protocol), score.count,
      escape(score.interval), score.higher_is_better ? "" : ", lower is better", score.value, score.low, score.high,
      html::interval_bar(score.value, score.low, score.high, references));
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

std::string figures(const std::vector<TaskRecord>& tasks) {
  std::string rows;
  for (const auto& task : tasks) {
    rows += fmt::format("<tr class=\"task\"><td colspan=\"3\">{}</td></tr>\n", escape(task.name));
    if (!task.reason.empty()) {
      rows += fmt::format("<tr><td colspan=\"3\">not applicable: {}</td></tr>\n", escape(task.reason));
    }
    for (const auto& score : task.scores) {
      const auto references = score.reference ? std::vector<double>() : references_of(score, task.scores);
      rows += score_row(score, references);
    }
  }
  if (rows.empty()) return "<p>No task has been evaluated.</p>\n";
  return "<table><thead><tr><th>score</th><th class=\"number\">value, 95&nbsp;%</th><th>0 to "
         "1</th></tr></thead><tbody>\n" +
         rows +
         "</tbody></table>\n<p class=\"soft\">Grey rows are references: floors, ceilings, the scorer's own accuracy on "
         "real images, and single held-out prompts. Dashed lines mark them in the bars; the pale band is the 95 % "
         "interval.</p>\n";
}

std::string stages(const json& metrics, const json& manifest) {
  const auto seconds = manifest.value("seconds", json::object());
  std::string rows;
  for (const auto& stage : metrics.value("stages", json::array())) {
    const auto name = stage.value("name", "");
    std::string losses;
    const auto last = stage.value("losses", json::object());  // items() refers to it
    for (const auto& [loss, value] : last.items()) {
      losses += fmt::format("{}{} {}", losses.empty() ? "" : ", ", loss, plain(value));
    }
    const auto time = seconds.is_object() ? seconds.find("stage " + name) : seconds.end();
    rows += fmt::format("<tr><td>{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td>{}</td></tr>\n",
                        escape(name), escape(plain(stage.value("steps", json()))),
                        time != seconds.end() && time->is_number() ? duration_text(time->get<double>()) : "&ndash;",
                        escape(losses));
  }
  if (rows.empty()) return {};
  return "<h2>Training</h2>\n<div class=\"wide\"><table><thead><tr><th>stage</th><th class=\"number\">steps</th><th "
         "class=\"number\">time</th><th>losses at the end</th></tr></thead><tbody>\n" +
         rows + "</tbody></table></div>\n";
}

std::string charts(const fs::path& folder) {
  std::string figures;
  for (const auto& file : pictures_in(folder / "losses")) {
    figures += html::embedded_png(file, "loss curves of stage " + file.stem().string());
  }
  return figures.empty() ? figures : "<div class=\"charts\">\n" + figures + "</div>\n";
}

std::string samples(const fs::path& folder) {
  std::string text;
  for (const auto& file : pictures_in(folder)) {
    const auto name = file.stem().string();
    text += fmt::format("<h3>{}</h3>\n{}", escape(name), html::embedded_png(file, "pictures of " + name));
  }
  return text.empty() ? text : "<h2>Pictures</h2>\n" + text;
}

/// The most frequent confusions of one task, each with an example.
std::string mistakes(const fs::path& file, const std::string& task) {
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
    if (item.value("score", 1.0) != 0.0) continue;  // right, or scored by something that is not right or wrong
    ++wrong;
    auto& confusion = confusions[{item.value("expected", ""), item.value("output", "")}];
    if (confusion.count++ == 0) confusion.example = item.value("id", "") + ": " + item.value("input", "");
  }
  if (wrong == 0) return {};
  std::vector<std::pair<std::pair<std::string, std::string>, Confusion>> ranked(confusions.begin(), confusions.end());
  std::ranges::stable_sort(ranked, [](const auto& a, const auto& b) { return a.second.count > b.second.count; });
  if (ranked.size() > 8) ranked.resize(8);
  std::string rows;
  for (const auto& [words, confusion] : ranked) {
    rows += fmt::format("<tr><td>{}</td><td>{}</td><td class=\"number\">{}</td><td class=\"soft\">{}</td></tr>\n",
                        escape(words.first), escape(words.second), confusion.count, escape(confusion.example));
  }
  return fmt::format(
      "<h3>{}: {} wrong of {}</h3>\n<div class=\"wide\"><table><thead><tr><th>expected</th><th>got</th><th "
      "class=\"number\">times</th><th>for example</th></tr></thead><tbody>\n{}</tbody></table></div>\n",
      escape(task), wrong, all, rows);
}

std::string all_mistakes(const fs::path& folder, const std::vector<TaskRecord>& tasks) {
  std::string text;
  for (const auto& task : tasks) {
    const auto file = folder / "items" / (short_name(task.name) + ".jsonl");
    if (fs::exists(file)) text += mistakes(file, task.name);
  }
  return text.empty() ? text : "<h2>Most frequent mistakes</h2>\n" + text;
}

std::string manifest_table(const json& manifest) {
  std::string rows;
  const auto row = [&](const std::string& key, const std::string& value) {
    rows += fmt::format("<tr><th>{}</th><td class=\"code\">{}</td></tr>\n", escape(key), escape(value));
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
  return "<h2>Where it came from</h2>\n<div class=\"wide\"><table><tbody>\n" + rows + "</tbody></table></div>\n";
}

}  // namespace

void write_report(const fs::path& run_directory) {
  const auto manifest = read_manifest(run_directory);
  const auto metrics = read_metrics(run_directory);
  const auto tasks = read_task_records(run_directory);
  try {
    const auto body = heading(manifest) + "<h2>Figures</h2>\n" + figures(tasks) + samples(run_directory) +
                      stages(metrics, manifest) + charts(run_directory) + all_mistakes(run_directory, tasks) +
                      "<h2>Recipe, every default filled in</h2>\n<pre>" +
                      escape(read_text(run_directory / "resolved.yaml")) + "</pre>\n" + manifest_table(manifest);
    write_atomically(run_directory / "report.html",
                     html::page("BLIP3-U: " + manifest.value("name", std::string("run")), body));
  } catch (const json::exception& error) {
    throw Error(
        fmt::format("{}: manifest.json, metrics.json or an item is damaged: {}; delete it and run the recipe again",
                    run_directory.string(), error.what()));
  }
}

}  // namespace blip3u::eval
