#include "training/optimizer.h"

#include <cmath>
#include <numbers>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

namespace blip3u {

double learning_rate_at(const Stage& stage, std::int64_t step) {
  const double warmup = std::floor(stage.warmup * static_cast<double>(stage.steps));
  const auto now = static_cast<double>(step);
  if (now < warmup) return stage.learning_rate * (now + 1) / warmup;
  const double progress = (now - warmup) / std::max(1.0, static_cast<double>(stage.steps) - warmup);
  const double cosine = 0.5 * (1 + std::cos(std::numbers::pi * progress));
  return stage.learning_rate * (stage.final_learning_rate + (1 - stage.final_learning_rate) * cosine);
}

Optimizer::Optimizer(std::vector<NamedTensor> weights, const Stage& stage)
    : stage_(stage), named_(std::move(weights)), groups_{{{}, {}, {}, stage.weight_decay}, {{}, {}, {}, 0.0}} {
  for (const NamedTensor& weight : named_) {
    Group& group = groups_[weight.value.dim() >= 2 ? 0 : 1];
    group.weights.push_back(weight.value);
    group.moments1.push_back(at::zeros_like(weight.value));
    group.moments2.push_back(at::zeros_like(weight.value));
    if (stage_.average_decay > 0) averages_.push_back(weight.value.detach().clone());
  }
}

std::vector<Tensor> Optimizer::all_weights() const {
  std::vector<Tensor> result;
  for (const NamedTensor& weight : named_) result.push_back(weight.value);
  return result;
}

double Optimizer::step(std::int64_t step_index) {
  const at::NoGradGuard no_grad;
  std::vector<Tensor> gradients;
  for (const NamedTensor& weight : named_) {
    if (weight.value.grad().defined()) gradients.push_back(weight.value.grad());
  }
  if (gradients.empty()) return 0;
  const double norm = at::stack(at::_foreach_norm(gradients)).norm().item<double>();
  if (stage_.gradient_clip > 0 && norm > stage_.gradient_clip) {
    at::_foreach_mul_(gradients, stage_.gradient_clip / norm);
  }
  for (Group& group : groups_) {
    std::vector<Tensor> weights, group_gradients, moments1, moments2;
    for (std::size_t i = 0; i < group.weights.size(); ++i) {
      if (!group.weights[i].grad().defined()) continue;  // the loss does not reach it: neither moved nor decayed
      weights.push_back(group.weights[i]);
      group_gradients.push_back(group.weights[i].grad());
      moments1.push_back(group.moments1[i]);
      moments2.push_back(group.moments2[i]);
    }
    if (weights.empty()) continue;
    const Tensor count =
        at::full({}, static_cast<double>(step_index + 1), weights.front().options().requires_grad(false));
    const std::vector<Tensor> counts(weights.size(), count);
    at::_fused_adamw_(weights, group_gradients, moments1, moments2, {}, counts, learning_rate_at(stage_, step_index),
                      /*beta1=*/0.9, /*beta2=*/0.99, group.weight_decay, /*eps=*/1e-8, /*amsgrad=*/false,
                      /*maximize=*/false);
  }
  if (!averages_.empty()) {
    const auto now = static_cast<double>(step_index);
    const double decay = std::min(stage_.average_decay, (1 + now) / (10 + now));
    at::_foreach_lerp_(averages_, all_weights(), 1 - decay);
  }
  for (const NamedTensor& weight : named_) weight.value.mutable_grad().reset();
  return norm;
}

std::vector<NamedTensor> Optimizer::saved_tensors() const {
  std::vector<NamedTensor> result;
  std::size_t index[2] = {0, 0};
  for (std::size_t i = 0; i < named_.size(); ++i) {
    const std::size_t which = named_[i].value.dim() >= 2 ? 0 : 1;
    const std::size_t at = index[which]++;
    result.push_back({"weight/" + named_[i].name, named_[i].value});
    result.push_back({"moment1/" + named_[i].name, groups_[which].moments1[at]});
    result.push_back({"moment2/" + named_[i].name, groups_[which].moments2[at]});
    if (!averages_.empty()) result.push_back({"average/" + named_[i].name, averages_[i]});
  }
  return result;
}

void Optimizer::use_averages() {
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < averages_.size(); ++i) named_[i].value.copy_(averages_[i]);
}

}  // namespace blip3u
