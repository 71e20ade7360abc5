#include "ablation_data.h"

#include <algorithm>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "eval/records.h"
#include "io/files.h"
#include "recipe/suggest.h"
#include "running/run_directory.h"

namespace blip3u::eval {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

json read(const fs::path& file) {
  json value = fs::exists(file) ? json::parse(read_text(file), nullptr, false) : json();
  if (!value.is_object()) {
    throw Error(fmt::format("{}: missing or damaged; delete it and give `blip3u ablate` again", file.string()));
  }
  return value;
}

ScoreTable& table_of(SweepData& sweep, const Score& score) {
  const auto known = std::ranges::find(sweep.scores, score.name, &ScoreTable::name);
  if (known != sweep.scores.end()) return *known;
  std::vector<std::vector<std::optional<Observation>>> empty(
      sweep.points.size(), std::vector<std::optional<Observation>>(sweep.seeds.size()));
  sweep.scores.push_back({score.name, score.higher_is_better, std::move(empty)});
  return sweep.scores.back();
}

void read_scores(SweepData& sweep, SweepRun& run) {
  const RunDirectory directory(run.directory);
  for (const TaskRecord& task : read_task_records(run.directory)) {
    if (std::ranges::find(sweep.tasks, task.name) == sweep.tasks.end()) sweep.tasks.push_back(task.name);
    const Influences influences = directory.influences(task.name);
    for (const Score& score : task.scores) {
      if (score.reference) continue;
      Observation observation{.value = score.value};
      if (const auto found = influences.find(score.name); found != influences.end())
        observation.influences = found->second;
      table_of(sweep, score).observations[run.point][run.seed] = std::move(observation);
    }
  }
  const json seconds = directory.manifest().value("seconds", json::object());
  for (const auto& [part, value] : seconds.items()) run.seconds += value.get<double>();
}

void choose_scores(SweepData& sweep, const std::vector<std::string>& wanted) {
  std::vector<std::string> known;
  for (const ScoreTable& table : sweep.scores) known.push_back(table.name);
  for (const std::string& name : wanted) {
    if (known.empty() || std::ranges::find(known, name) != known.end()) continue;
    throw Error(Fault::usage,
                fmt::format("`ablate.scores` names {}, which no run has{}", name, suggest(name, known, "scores")));
  }
  sweep.judged = wanted.empty() ? known : wanted;
}

}  // namespace

SweepData read_sweep(const fs::path& folder) {
  const json record = read(folder / "sweep.json"), runs = read(folder / "runs.json");
  SweepData sweep;
  try {
    sweep.name = record.at("name");
    sweep.design = record.at("design");
    sweep.weights_from = record.at("weights_from").get<std::string>();
    sweep.seeds = record.at("seeds").get<std::vector<std::uint64_t>>();
    for (const json& axis : record.at("axes")) sweep.axes.push_back({axis.at("name"), axis.at("labels")});
    for (const json& point : record.at("points")) {
      sweep.points.push_back(point.at("name"));
      sweep.labels.push_back(point.at("labels").get<std::vector<std::size_t>>());
    }
    for (const json& point : record.at("left_out")) sweep.left_out.emplace_back(point.at("name"), point.at("reason"));
    for (const json& each : runs.at("runs")) {
      const auto seed = std::ranges::find(sweep.seeds, each.at("seed").get<std::uint64_t>());
      SweepRun run{.point = each.at("point"),
                   .seed = static_cast<std::size_t>(seed - sweep.seeds.begin()),
                   .directory = each.at("directory").get<std::string>(),
                   .recipe = each.at("recipe").get<std::string>(),
                   .status = each.at("status"),
                   .message = each.at("message")};
      if (run.status == "complete") read_scores(sweep, run);
      sweep.runs.push_back(std::move(run));
    }
    choose_scores(sweep, record.at("scores").get<std::vector<std::string>>());
  } catch (const json::exception& error) {
    throw Error(fmt::format("{}: sweep.json or runs.json is damaged: {}; delete them and give `blip3u ablate` again",
                            folder.string(), error.what()));
  }
  return sweep;
}

}  // namespace blip3u::eval
