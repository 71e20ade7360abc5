// Several runs side by side.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace blip3u::eval {

/// A table, aligned and also Markdown, of the scores of all runs, then of their references: one column for runs of one
/// recipe and of one build of its plugins that differ in nothing but the seed, named by what differs from the first
/// column's recipe, or by the run's folder where that does not tell. One run shows its 95 % intervals, several show
/// mean [least, greatest].
std::string compare_runs(const std::vector<std::filesystem::path>& runs);

}  // namespace blip3u::eval
