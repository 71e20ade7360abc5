// What `blip3u ablate` makes of the runs of a sweep.
#pragma once

#include <filesystem>
#include <string>

namespace blip3u::eval {

/// Judges the complete runs of a sweep, by what lies in its folder and in those of its runs. Writes judgement.json,
/// scores.csv (each score of each run), judgement.csv (differences and effects) and report.html into the folder, and
/// returns the judgement as text for people. Throws Error if a file is missing or damaged.
std::string judge_sweep(const std::filesystem::path& folder);

}  // namespace blip3u::eval
