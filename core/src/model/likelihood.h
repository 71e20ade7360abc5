// How likely given replies are.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "blip3u/request.h"
#include "pipeline/pipeline.h"

namespace blip3u {

/// The natural logarithm of the probability of each text as the whole reply to its request, one batch.
std::vector<double> log_likelihood(Pipeline& pipeline, std::span<const Request> requests,
                                   std::span<const std::string> replies);

}  // namespace blip3u
