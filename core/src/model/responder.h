// Answers requests: writes words, makes pictures, and lets later turns see them.
#pragma once

#include <span>
#include <vector>

#include "blip3u/request.h"
#include "pipeline/pipeline.h"

namespace blip3u {

/// The replies to one batch of requests, in their order. Each is the same whatever else is in the batch (to rounding).
/// Throws Error for a request that the pipeline cannot serve, and Interrupted where the process is told to end.
std::vector<Reply> respond(Pipeline& pipeline, std::span<const Request> requests, const Events& events);

}  // namespace blip3u
