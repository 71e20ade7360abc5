// Loss terms as the contracts want them: sum and count apart.
#pragma once

#include <string>

#include <torch/torch.h>

#include "blip3u/visual.h"

namespace blip3u::layers {

/// A number as the count or sum of a Loss: a scalar beside `like`.
inline Tensor scalar_like(double value, const Tensor& like) { return at::full({}, value, like.options()); }

inline Loss squared_error(std::string name, const Tensor& prediction, const Tensor& target) {
  return {std::move(name), (prediction - target).square().sum(),
          scalar_like(static_cast<double>(target.numel()), target)};
}

}  // namespace blip3u::layers
