// From a recipe to a run directory: data, stages, evaluation, report.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "blip3u/task.h"
#include "recipe/recipe.h"

namespace blip3u {

struct RunOptions {
  std::optional<std::filesystem::path> directory;  ///< else output/name-hash
  std::vector<std::string> arguments;              ///< of the command line, for the manifest
  bool evaluate = true;
  bool stored_replies = false;  ///< evaluate_run: score the replies of the last time again, without asking the model
  std::int64_t best_of = 1;  ///< evaluate_run: make so many pictures of each prompt and choose one; nothing is stored
  std::function<void(const std::filesystem::path& run_directory)> write_report;  ///< may be empty
};

/// Trains and evaluates what is not done yet and returns the run directory. docs/run-directory.md says what lies there.
/// A finished run is left as it is. Stages are kept below `stages` beside the run directories, each called by a hash of
/// everything that decides it, so that runs which agree on a stage share it.
BLIP3U_API std::filesystem::path run_recipe(const Recipe& recipe, const RunOptions& options);

/// Evaluates one task of a finished run again, or for the first time, and returns its scores. One that was stopped goes
/// on. `task` is a component name (`tasks/vqa`) or its last part.
BLIP3U_API std::vector<Score> evaluate_run(const std::filesystem::path& run_directory, const std::string& task,
                                           Catalog& catalog, const RunOptions& options);

}  // namespace blip3u
