// A sweep as its folder has it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "eval/judge.h"

namespace blip3u::eval {

struct SweepRun {
  std::size_t point = 0, seed = 0;  ///< places
  std::filesystem::path directory, recipe;
  std::string status, message;
  double seconds = 0;  ///< of its stages and tasks
};

struct SweepData {
  std::string name, design;
  std::filesystem::path weights_from;  ///< empty: each run trains
  std::vector<JudgedAxis> axes;
  std::vector<std::uint64_t> seeds;
  std::vector<std::string> points;
  std::vector<std::vector<std::size_t>> labels;  ///< of the points, by axis
  std::vector<std::pair<std::string, std::string>> left_out;
  std::vector<SweepRun> runs;
  std::vector<ScoreTable> scores;   ///< all that any run has, but for references
  std::vector<std::string> judged;  ///< names of those that are judged
  std::vector<std::string> tasks;   ///< of all runs
};

/// Throws Error if a file is missing or damaged, or if a score that the recipe names is in no complete run.
SweepData read_sweep(const std::filesystem::path& folder);

}  // namespace blip3u::eval
