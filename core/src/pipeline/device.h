// Where a pipeline runs.
#pragma once

#include <string>

#include <c10/core/Device.h>

#include "blip3u/export.h"

namespace blip3u {

/// Turns `auto`, `cpu`, `cuda` or `cuda:N` into a device. The program links only LibTorch's CPU part; the CUDA part is
/// loaded here, once, if it is asked for (or `auto`) and a driver is present. Asking for a GPU that is not there is an
/// Error that says what is missing; only `auto` chooses, and says on standard error why it leaves a GPU alone. Also
/// puts the process's arithmetic into the state that all results are reported in: full float32 products, and on a GPU
/// only kernels that give the same bits every time.
BLIP3U_API at::Device open_device(const std::string& name);

}  // namespace blip3u
