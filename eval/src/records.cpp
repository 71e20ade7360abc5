#include "eval/records.h"

#include <utility>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "running/run_directory.h"

namespace blip3u::eval {

using nlohmann::json;

namespace {

json present(json value, const std::filesystem::path& file) {
  if (!value.is_object() || value.empty()) {
    throw Error(
        fmt::format("there is no {}, or nothing is in it; give the folder of a run that has finished", file.string()));
  }
  return value;
}

}  // namespace

json read_metrics(const std::filesystem::path& run_directory) {
  return present(RunDirectory(run_directory).metrics(), run_directory / "metrics.json");
}

json read_manifest(const std::filesystem::path& run_directory) {
  return present(RunDirectory(run_directory).manifest(), run_directory / "manifest.json");
}

std::vector<TaskRecord> read_task_records(const std::filesystem::path& run_directory) {
  const auto metrics = read_metrics(run_directory);
  std::vector<TaskRecord> tasks;
  try {
    for (const auto& task : metrics.at("tasks")) {
      TaskRecord record;
      record.name = task.at("task").get<std::string>();
      if (task.at("status") != "done") record.reason = task.value("reason", "no reason was recorded");
      for (const auto& score : task.value("scores", json::array())) {
        record.scores.push_back({.name = score.at("name").get<std::string>(),
                                 .protocol = score.at("protocol").get<std::string>(),
                                 .value = score.at("value").get<double>(),
                                 .low = score.at("low").get<double>(),
                                 .high = score.at("high").get<double>(),
                                 .interval = score.at("interval").get<std::string>(),
                                 .count = score.at("count").get<std::int64_t>(),
                                 .higher_is_better = score.value("higher_is_better", true),
                                 .reference = score.value("reference", false)});
      }
      tasks.push_back(std::move(record));
    }
  } catch (const json::exception& error) {
    throw Error(fmt::format("{}: damaged: {}; delete it and run the recipe again",
                            (run_directory / "metrics.json").string(), error.what()));
  }
  return tasks;
}

}  // namespace blip3u::eval
