// From a recipe to a run directory: data, stages, evaluation, report.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "blip3u/task.h"
#include "blip3u/tokenizer.h"
#include "recipe/recipe.h"
#include "training/training_data.h"

namespace blip3u {

struct RunOptions {
  std::optional<std::filesystem::path> directory;  ///< else output/name-hash
  std::vector<std::string> arguments;              ///< of the command line, for the manifest
  bool evaluate = true;
  std::optional<std::filesystem::path> trained;  ///< run_recipe: a run whose weights are taken; nothing is trained
  std::string until;                             ///< run_recipe: the last stage that is trained now; empty: all
  bool stored_replies = false;  ///< evaluate_run: score the replies of the last time again, without asking the model
  std::int64_t best_of = 1;  ///< evaluate_run: make so many pictures of each prompt and choose one; nothing is stored
  std::function<void(const std::filesystem::path& run_directory)> write_report;  ///< may be empty
};

/// Trains and evaluates what is not done yet and returns the run directory. docs/run-directory.md says what lies there.
/// A finished run is left as it is. Stages are kept below `stages` beside the run directories, each called by a hash of
/// everything that decides it, so that runs which agree on a stage share it.
BLIP3U_API std::filesystem::path run_recipe(const Recipe& recipe, const RunOptions& options);

/// Where run_recipe() works, without options.directory.
BLIP3U_API std::filesystem::path run_directory_of(const Recipe& recipe,
                                                  const std::optional<std::filesystem::path>& trained = std::nullopt);

/// What a tokenizer that learns its vocabulary from the data has learned.
BLIP3U_API std::shared_ptr<Tokenizer> fitted_tokenizer(const Recipe& recipe, const TrainingData& data);

/// A task of the recipe.
BLIP3U_API std::unique_ptr<Task> make_task(const ComponentChoice& choice, const Recipe& recipe);

/// The folder of a stage with that key, below the output folder.
BLIP3U_API std::filesystem::path stage_folder(const std::filesystem::path& output, const Stage& stage,
                                              const std::string& key);

/// Evaluates one task of a finished run again, or for the first time, and returns its scores. One that was stopped goes
/// on. `task` is a component name (`tasks/vqa`) or its last part.
BLIP3U_API std::vector<Score> evaluate_run(const std::filesystem::path& run_directory, const std::string& task,
                                           Catalog& catalog, const RunOptions& options);

}  // namespace blip3u
