// Makes the runs of a sweep.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ablating/plan.h"

namespace blip3u {

struct SweepOptions {
  std::filesystem::path program;       ///< that is called for each run
  std::vector<std::string> arguments;  ///< of the command line, for the record
  std::vector<std::string> only;       ///< labels, AXIS=LABEL or names of points: runs of points that have them all
  std::optional<std::size_t> limit;    ///< runs that are made now, at most
  std::size_t jobs = 1;                ///< runs at once
};

/// What became of a run.
struct RunState {
  std::string status;   ///< complete, failed or waiting
  std::string message;  ///< why it failed
};

/// Writes the sweep's record, sweep.json, and the recipe of each run, from which `blip3u run` makes it, into the plan's
/// directory. Says so if another sweep of this name is there, and how it differs.
BLIP3U_API void write_sweep(const Sweep& sweep, const SweepPlan& plan, const std::vector<std::string>& arguments);

/// The command that makes one run of the sweep.
BLIP3U_API std::vector<std::string> command_of(const Sweep& sweep, const PlannedRun& run,
                                               const std::filesystem::path& program);

/// Makes what is not there yet, each run in a process of its own. A run that fails is recorded and the others go on.
/// Throws Interrupted after an interrupt, and Error where going on would be in vain. Returns what became of each run.
BLIP3U_API std::vector<RunState> run_sweep(const Sweep& sweep, SweepPlan& plan, const SweepOptions& options);

}  // namespace blip3u
