#include "blip3u/nn/rms_norm.h"

#include <array>
#include <cmath>
#include <cstdint>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "blip3u/error.h"

namespace blip3u::nn {

namespace {

constexpr std::int64_t lanes = 16;  // summed apart, which a compiler may do at once

/// Vectors of W numbers that lie one behind the other, or group by group, as heads do that are part of a wider tensor.
class Rows {
 public:
  explicit Rows(const Tensor& x) : width(x.size(-1)) {
    tensor_ = x.dim() > 2 ? x.flatten(0, -3) : x;
    if (tensor_.stride(-1) != 1) tensor_ = tensor_.contiguous();
    count = x.numel() / width;
    in_group_ = x.dim() > 1 ? x.size(-2) : 1;
    row_stride_ = x.dim() > 1 ? tensor_.stride(-2) : 0;
    group_stride_ = x.dim() > 2 ? tensor_.stride(0) : 0;
  }

  const float* operator[](std::int64_t row) const {
    return tensor_.const_data_ptr<float>() + row / in_group_ * group_stride_ + row % in_group_ * row_stride_;
  }

  std::int64_t width, count;

 private:
  Tensor tensor_;
  std::int64_t in_group_, row_stride_, group_stride_;
};

/// The sum of term(i) for i in [0, n).
template <class Term>
float sum_of(std::int64_t n, const Term& term) {
  std::array<float, lanes> sums{};
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    for (std::int64_t lane = 0; lane < lanes; ++lane) sums[static_cast<std::size_t>(lane)] += term(i + lane);
  }
  for (; i < n; ++i) sums[0] += term(i);
  float sum = 0;
  for (const float part : sums) sum += part;
  return sum;
}

/// Writes the factor of each row to `scales` [rows], unless that is null.
Tensor normed(const Tensor& x, const Tensor& weight, double epsilon, float* scales) {
  Tensor result = at::empty(x.sizes(), x.options());
  if (x.numel() == 0) return result;
  const Rows rows(x);
  const std::int64_t width = rows.width;
  const Tensor weights = weight.contiguous();
  const float* const w = weights.const_data_ptr<float>();
  float* const results = result.mutable_data_ptr<float>();
  for (std::int64_t row = 0; row < rows.count; ++row) {
    const float* const from = rows[row];
    float* const to = results + row * width;
    const float squares = sum_of(width, [&](std::int64_t i) { return from[i] * from[i]; });
    const auto scale = static_cast<float>(1 / std::sqrt(squares / static_cast<double>(width) + epsilon));
    for (std::int64_t i = 0; i < width; ++i) to[i] = from[i] * scale * w[i];
    if (scales) scales[row] = scale;
  }
  return result;
}

class Normed : public torch::autograd::Function<Normed> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x, const Tensor& weight,
                        double epsilon) {
    const Tensor scales = at::empty({x.numel() / x.size(-1)}, x.options());
    Tensor result = normed(x, weight, epsilon, scales.mutable_data_ptr<float>());
    context->save_for_backward({x, weight, scales});
    return result;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    if (at::GradMode::is_enabled()) {
      throw Error(Fault::plugin,
                  "nn::rms_norm can be differentiated once; use at::rms_norm where gradients of gradients "
                  "are taken");
    }
    const auto saved = context->get_saved_variables();
    const Tensor &x = saved[0], &scales = saved[2];
    const Tensor above = gradients[0].contiguous(), weights = saved[1].contiguous();
    const bool wants_weight = context->needs_input_grad(1);
    Tensor of_x = at::empty(x.sizes(), x.options());
    const Rows rows(x);
    const std::int64_t width = rows.width;
    const Tensor of_weight = wants_weight ? at::zeros({width}, x.options()) : Tensor();
    float* const sums = wants_weight ? of_weight.mutable_data_ptr<float>() : nullptr;
    const float *const w = weights.const_data_ptr<float>(), *const ups = above.const_data_ptr<float>(),
                       *const factors = scales.const_data_ptr<float>();
    float* const results = of_x.mutable_data_ptr<float>();
    for (std::int64_t row = 0; row < rows.count; ++row) {
      const float* const from = rows[row];
      const float* const up = ups + row * width;
      float* const to = results + row * width;
      const float scale = factors[row];
      const float along = sum_of(width, [&](std::int64_t i) { return up[i] * w[i] * from[i]; });
      const float back = along * scale * scale * scale / static_cast<float>(width);
      for (std::int64_t i = 0; i < width; ++i) to[i] = up[i] * w[i] * scale - from[i] * back;
      if (!sums) continue;
      for (std::int64_t i = 0; i < width; ++i) sums[i] += up[i] * from[i] * scale;
    }
    return {of_x, of_weight, Tensor()};
  }
};

bool plain(const Tensor& tensor) { return tensor.device().is_cpu() && tensor.scalar_type() == at::kFloat; }

}  // namespace

Tensor rms_norm(const Tensor& x, const Tensor& weight, double epsilon) {
  if (!plain(x) || !plain(weight) || weight.dim() != 1 || x.dim() == 0 || x.size(-1) != weight.size(0)) {
    return at::rms_norm(x, weight.sizes(), weight, epsilon);  // which also says what does not fit
  }
  if (at::GradMode::is_enabled() && x.numel() > 0 && (x.requires_grad() || weight.requires_grad())) {
    return Normed::apply(x, weight, epsilon);
  }
  return normed(x, weight, epsilon, nullptr);
}

}  // namespace blip3u::nn
