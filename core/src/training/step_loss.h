// The loss of one step and its gradients.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "blip3u/tensor.h"
#include "training/objectives.h"

namespace blip3u {

struct StepLoss {
  std::vector<std::pair<std::string, double>> terms;  ///< means, in the order in which the parts name them
  double total = 0;                                   ///< weighted
};

/// Leaves the gradients of the weighted means in `weights`. On a CPU several parts are worked out at once, a thread
/// each; their gradients are added in the order of the parts, so that the result does not depend on the number of
/// threads. Throws what the first part in their order throws that does.
BLIP3U_API StepLoss work_out(const std::vector<LossPart>& parts, const std::vector<NamedTensor>& weights);

}  // namespace blip3u
