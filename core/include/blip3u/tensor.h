// The one tensor type of the contracts. Includes only the tensor class: operators live in <ATen/ops/...>
// (or <torch/torch.h> in a module's source file), because each costs every includer seconds of compile time.
#pragma once

#include <ATen/core/Tensor.h>

namespace blip3u {

using Tensor = at::Tensor;

struct NamedTensor {
  std::string name;
  Tensor value;
};

}  // namespace blip3u
