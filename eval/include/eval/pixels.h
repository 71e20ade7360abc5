// What pictures are measured by where nobody knows what they show.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "blip3u/task.h"

namespace blip3u::eval {

/// Mean absolute difference of two pictures [3,H,W] uint8 as a share of the full range; the second is brought to the
/// size of the first.
double absolute_error(const Tensor& made, const Tensor& real);

/// The mean of independent records' value "error", as NAME/absolute_error.
Score absolute_error_score(const std::string& name, std::span<const ItemRecord> records);

/// For the first picture of each reply, up to twenty, the mean distance (as above) to the others; nothing where a reply
/// has no picture or there is only one.
std::vector<double> distances(std::span<const Output> outputs);

/// The mean of the records' value "distance", where they have one, by their groups: NAME/diversity. None without any.
std::vector<Score> diversity_score(const std::string& name, std::span<const ItemRecord> records);

}  // namespace blip3u::eval
