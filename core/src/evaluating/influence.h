// How much each item bears on each score.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "blip3u/task.h"

namespace blip3u {

/// By score, and by group of items that stand and fall together (or by blocks of several groups, where there are many):
/// the score less what it is without the group. Between two models that were asked the same, the differences of these
/// tell how the difference of their scores depends on the items that happened to be asked: the sum of their squares is
/// the jackknife's variance. A reference has none.
using Influences = std::map<std::string, std::map<std::string, double>>;

/// `summarise` makes scores of records; a group without which it makes none is left out, as nothing can be told of it.
BLIP3U_API Influences influences_of(const std::vector<Score>& scores, const std::vector<ItemRecord>& records,
                                    const std::function<std::vector<Score>(std::span<const ItemRecord>)>& summarise);

}  // namespace blip3u
