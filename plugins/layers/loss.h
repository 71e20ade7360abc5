// Loss terms as the contracts want them: sum and count apart.
#pragma once

#include <string>

#include <torch/torch.h>

#include "blip3u/visual.h"

namespace blip3u::layers {

inline Loss squared_error(std::string name, const Tensor& prediction, const Tensor& target) {
  return {std::move(name), (prediction - target).square().sum(),
          at::full({}, static_cast<double>(target.numel()), target.options())};
}

}  // namespace blip3u::layers
