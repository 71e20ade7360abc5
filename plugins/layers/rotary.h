// Rotary positions (Su et al. 2021, arXiv:2104.09864) in the rotate-half convention of Hugging Face's Llama: dimension
// i is paired with i + d/2.
#pragma once

#include <cmath>

#include <torch/torch.h>

#include "blip3u/tensor.h"

namespace blip3u::layers {

struct RotaryTable {
  Tensor cosine, sine;  ///< [B,1,T,d/2]
};

/// positions [B,T] int64; B may be 1 to serve all rows.
inline RotaryTable rotary_table(const Tensor& positions, std::int64_t head_width, double theta) {
  const auto options = positions.options().dtype(at::kFloat);
  const Tensor exponents = at::arange(0, head_width, 2, options) / static_cast<double>(head_width);
  const Tensor angles = positions.to(at::kFloat).unsqueeze(-1) * at::exp(exponents * -std::log(theta));
  return {angles.cos().unsqueeze(1), angles.sin().unsqueeze(1)};
}

/// x [B,H,T,d]
inline Tensor apply_rotary(const Tensor& x, const RotaryTable& table) {
  const auto halves = x.chunk(2, -1);
  return at::cat({halves[0] * table.cosine - halves[1] * table.sine, halves[1] * table.cosine + halves[0] * table.sine},
                 -1)
      .to(x.scalar_type());
}

}  // namespace blip3u::layers
