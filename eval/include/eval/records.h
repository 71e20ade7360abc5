// Reading what the runner left in a run directory.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "blip3u/task.h"

namespace blip3u::eval {

// Each of these throws Error naming the file if it is missing or damaged.

nlohmann::json read_metrics(const std::filesystem::path& run_directory);
nlohmann::json read_manifest(const std::filesystem::path& run_directory);

/// What metrics.json says of one task.
struct TaskRecord {
  std::string name;    ///< e.g. tasks/vqa
  std::string reason;  ///< why it did not run; empty if it did
  std::vector<Score> scores;
};

std::vector<TaskRecord> read_task_records(const std::filesystem::path& run_directory);

}  // namespace blip3u::eval
