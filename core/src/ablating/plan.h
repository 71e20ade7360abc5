// What a sweep has to do: its runs, their stages, which of them are shared, and what is there already.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ablating/sweep.h"
#include "training/training_data.h"

namespace blip3u {

/// One stage that some runs share; trained once.
struct PlannedStage {
  std::string name;
  std::string key;
  std::string alike;  ///< the same for stages that differ in nothing but the seed, and so take alike long
  std::filesystem::path folder;
  std::int64_t steps = 0;
  std::size_t runs = 0;  ///< how many have it
  bool done = false;
};

struct PlannedRun {
  std::size_t point = 0, seed = 0;  ///< places in the sweep
  std::filesystem::path directory;
  std::filesystem::path recipe;     ///< the file that it is run from
  std::vector<std::size_t> stages;  ///< in order
  bool done = false;
};

struct BLIP3U_API SweepPlan {
  std::filesystem::path directory;  ///< the sweep's own, for what is made of all runs
  std::vector<PlannedStage> stages;
  std::vector<PlannedRun> runs;  ///< in the order in which they are made: seed by seed
  double seconds_to_open = 0;    ///< what it took to open the data of one run and read its vocabulary

  bool complete() const;
};

/// Opens the data, which decide the stages, and looks at what is there.
BLIP3U_API SweepPlan plan_sweep(const Sweep& sweep);

/// Looks again at what is there.
BLIP3U_API void look_again(SweepPlan& plan);
BLIP3U_API void look_again(PlannedRun& run);

/// What the rest takes.
struct Estimate {
  double seconds = 0;             ///< of one process at a time
  std::uintmax_t bytes = 0;       ///< of weights, as stages and as the runs' own
  std::uintmax_t free_bytes = 0;  ///< in the output folder
};

/// Measured by a few steps of each stage that is not there and unlike those measured, and by a few questions of the
/// tasks. What was measured once is kept in the sweep's folder.
BLIP3U_API Estimate estimate(const Sweep& sweep, const SweepPlan& plan);

/// The plan for people.
BLIP3U_API std::string describe(const Sweep& sweep, const SweepPlan& plan, const std::optional<Estimate>& estimate,
                                std::size_t jobs);

/// "features=vae,objective=flow, seed 1"
BLIP3U_API std::string title_of(const Sweep& sweep, const PlannedRun& run);

}  // namespace blip3u
