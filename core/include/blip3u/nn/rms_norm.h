// Root mean square norm (Zhang & Sennrich 2019, arXiv 1910.07467).
#pragma once

#include "blip3u/export.h"
#include "blip3u/tensor.h"

namespace blip3u::nn {

/// x [...,W] over the root of its mean square plus `epsilon`, times `weight` [W]: [...,W], of x's device and dtype. In
/// float32 on a CPU it is one pass, as are its gradients, and can be differentiated once; else it is at::rms_norm.
BLIP3U_API Tensor rms_norm(const Tensor& x, const Tensor& weight, double epsilon);

}  // namespace blip3u::nn
