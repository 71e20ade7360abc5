// Rotary positions (Su et al. 2021, arXiv:2104.09864) in the rotate-half convention of Hugging Face's Llama: dimension
// i is paired with i + d/2. With several axes each pair turns by the position on one of them (Qwen2-VL, Wang et al.
// 2024, arXiv:2409.12191).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <mutex>
#include <vector>

#include <c10/core/InferenceMode.h>
#include <torch/torch.h>

#include "blip3u/tensor.h"

namespace blip3u::layers {

struct RotaryTable {
  Tensor cosine, sine;  ///< [B or 1,1,T,d] for both halves; the sines of the first half are negative
};

/// angles [...,T,d/2]
inline RotaryTable rotary_of_angles(const Tensor& angles) {
  const Tensor cosine = angles.cos(), sine = angles.sin();
  return {at::cat({cosine, cosine}, -1), at::cat({-sine, sine}, -1)};
}

/// [d/2], the angles by which one position turns the pairs.
inline Tensor rotary_rates(std::int64_t head_width, double theta, at::Device device) {
  const auto options = at::TensorOptions(device).dtype(at::kFloat);
  return at::exp(at::arange(0, head_width, 2, options) / static_cast<double>(head_width) * -std::log(theta));
}

/// positions [B,T] int64; B may be 1 to serve all rows.
inline RotaryTable rotary_table(const Tensor& positions, std::int64_t head_width, double theta) {
  const Tensor rates = rotary_rates(head_width, theta, positions.device());
  return rotary_of_angles((positions.to(at::kFloat).unsqueeze(-1) * rates).unsqueeze(1));
}

/// x [B,H,T,d]
inline Tensor apply_rotary(const Tensor& x, const RotaryTable& table) {
  return at::addcmul(x * table.cosine, x.roll(x.size(-1) / 2, -1), table.sine).to(x.scalar_type());
}

/// The tables of one backbone. What all rows share is computed once.
class Rotary {
 public:
  /// `sections` says how many of the d/2 pairs each axis turns; empty: there is one axis.
  Rotary(std::int64_t head_width, double theta, const std::vector<std::int64_t>& sections, at::Device device)
      : rates_(rotary_rates(head_width, theta, device)) {
    if (sections.empty()) return;
    std::vector<Tensor> axes;
    for (std::size_t axis = 0; axis < sections.size(); ++axis) {
      axes.push_back(at::full({sections[axis]}, static_cast<std::int64_t>(axis), rates_.options().dtype(at::kLong)));
    }
    axis_ = at::cat(axes);
    axes_ = static_cast<std::int64_t>(sections.size());
  }

  std::int64_t axes() const { return axes_; }
  at::Device device() const { return rates_.device(); }

  /// Of the positions first, first + 1, ..., on all axes. Several threads may ask.
  RotaryTable range(std::int64_t first, std::int64_t length) {
    const std::lock_guard lock(table_mutex_);
    if (known_ < first + length) {
      const c10::InferenceMode ordinary_tensors(false);  // gradients may need them later
      const at::NoGradGuard no_gradient;
      known_ = std::max<std::int64_t>({first + length, 2 * known_, 64});
      const Tensor positions = at::arange(known_, rates_.options());
      table_ = rotary_of_angles(positions.unsqueeze(-1) * rates_);
    }
    return {table_.cosine.narrow(0, first, length), table_.sine.narrow(0, first, length)};
  }

  /// positions [B,T], the same on all axes, or [B,T,A] int64; B may be 1 to serve all rows.
  RotaryTable at_positions(const Tensor& positions) const {
    const Tensor of_pairs = positions.dim() == 2 || !axis_.defined()
                                ? positions.view({positions.size(0), positions.size(1), -1})
                                : positions.index_select(2, axis_);
    return rotary_of_angles((of_pairs.to(at::kFloat) * rates_).unsqueeze(1));
  }

 private:
  Tensor rates_, axis_;  ///< [d/2]
  std::int64_t axes_ = 1, known_ = 0;
  RotaryTable table_;  ///< [known,d]
  std::mutex table_mutex_;
};

}  // namespace blip3u::layers
