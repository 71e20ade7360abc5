#include "data/running_moments.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "blip3u/error.h"

namespace blip3u {

RunningMoments::RunningMoments(std::int64_t width)
    : mean_(at::zeros({width}, at::kDouble)), squares_(at::zeros({width}, at::kDouble)) {}

void RunningMoments::add(const Tensor& rows) {
  if (rows.dim() < 1 || rows.size(-1) != mean_.size(0)) {
    throw Error(fmt::format("features of width {} were expected, not of another", mean_.size(0)));
  }
  const Tensor flat = rows.detach().to(at::kCPU, at::kDouble).reshape({-1, mean_.size(0)});
  if (flat.size(0) == 0) return;
  if (!flat.isfinite().all().item<bool>()) throw Error("a feature is not a finite number; check the encoder's weights");
  const Tensor mean = flat.mean(0);
  merge(flat.size(0), mean, (flat - mean).square().sum(0));
}

void RunningMoments::add(const RunningMoments& other) { merge(other.count_, other.mean_, other.squares_); }

void RunningMoments::merge(std::int64_t count, const Tensor& mean, const Tensor& squares) {
  if (count == 0) return;
  const auto total = static_cast<double>(count_ + count);
  const Tensor distance = mean - mean_;
  squares_ =
      squares_ + squares + distance.square() * (static_cast<double>(count_) * static_cast<double>(count) / total);
  mean_ = mean_ + distance * (static_cast<double>(count) / total);
  count_ += count;
}

Tensor RunningMoments::deviation() const {
  return count_ == 0 ? at::ones_like(squares_) : (squares_ / static_cast<double>(count_)).sqrt();
}

std::vector<NamedTensor> RunningMoments::state() const {
  return {{"count", at::full({1}, count_, at::kLong)}, {"mean", mean_.clone()}, {"squares", squares_.clone()}};
}

void RunningMoments::restore(const std::vector<NamedTensor>& state) {
  const auto find = [&](const char* name, at::ScalarType type, at::IntArrayRef shape) {
    const auto found = std::ranges::find(state, name, &NamedTensor::name);
    if (found == state.end() || found->value.sizes() != shape || found->value.scalar_type() != type) {
      throw Error(fmt::format("the saved feature statistics lack a sound '{}'; compute them anew", name));
    }
    return found->value.to(at::kCPU, /*non_blocking=*/false, /*copy=*/true);
  };
  const Tensor count = find("count", at::kLong, {1});
  const Tensor mean = find("mean", at::kDouble, mean_.sizes());
  squares_ = find("squares", at::kDouble, mean_.sizes());
  mean_ = mean;
  count_ = count.item<std::int64_t>();
}

}  // namespace blip3u
