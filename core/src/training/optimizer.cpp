#include "training/optimizer.h"

#include <cmath>
#include <numbers>
#include <string_view>

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

bool decays(const NamedTensor& weight) {
  if (weight.value.dim() < 2) return false;
  std::string_view name = weight.name;
  constexpr std::string_view of_layer = ".weight";
  if (weight.value.dim() == 2 && name.ends_with(of_layer)) name.remove_suffix(of_layer.size());
  name.remove_prefix(name.find_last_of("._/") + 1);  // 0 if there is none
  return name != "embedding" && name != "positions" && name != "queries" && name != "table";
}

Optimizer::Optimizer(std::vector<NamedTensor> weights, const Stage& stage) : stage_(stage) {
  for (NamedTensor& weight : weights) {
    const Tensor& value = weight.value;
    entries_.push_back({.weight = weight,
                        .moment1 = at::zeros_like(value),
                        .moment2 = at::zeros_like(value),
                        .steps = at::zeros({}, value.options().dtype(at::kFloat).requires_grad(false)),
                        .average = stage_.average_decay > 0 ? value.detach().clone() : Tensor(),
                        .decays = decays(weight)});
  }
}

void Optimizer::update(bool decayed, double learning_rate) {
  std::vector<Tensor> weights, gradients, moments1, moments2, steps;
  for (const Entry& entry : entries_) {
    const Tensor& value = entry.weight.value;
    if (entry.decays != decayed || !value.grad().defined()) continue;  // no loss reaches it: neither moved nor decayed
    weights.push_back(value);
    gradients.push_back(value.grad());
    moments1.push_back(entry.moment1);
    moments2.push_back(entry.moment2);
    steps.push_back(entry.steps);
  }
  if (weights.empty()) return;
  at::_foreach_add_(steps, 1);
  at::_fused_adamw_(weights, gradients, moments1, moments2, {}, steps, learning_rate, /*beta1=*/0.9, /*beta2=*/0.99,
                    decayed ? stage_.weight_decay : 0.0, /*eps=*/1e-8, /*amsgrad=*/false, /*maximize=*/false);
}

double Optimizer::step(std::int64_t step_index) {
  const at::NoGradGuard no_grad;
  std::vector<Tensor> gradients;
  for (const Entry& entry : entries_) {
    if (entry.weight.value.grad().defined()) gradients.push_back(entry.weight.value.grad());
  }
  if (gradients.empty()) return 0;
  const double norm = at::stack(at::_foreach_norm(gradients)).norm().item<double>();
  if (!std::isfinite(norm)) return norm;
  if (stage_.gradient_clip > 0 && norm > stage_.gradient_clip) {
    at::_foreach_mul_(gradients, stage_.gradient_clip / norm);
  }
  for (const bool decayed : {true, false}) update(decayed, learning_rate_at(stage_, step_index));
  if (stage_.average_decay > 0) {
    const auto now = static_cast<double>(step_index);
    const double decay = std::min(stage_.average_decay, (1 + now) / (10 + now));
    std::vector<Tensor> averages, weights;
    for (const Entry& entry : entries_) {
      averages.push_back(entry.average);
      weights.push_back(entry.weight.value);
    }
    at::_foreach_lerp_(averages, weights, 1 - decay);
  }
  for (const Entry& entry : entries_) entry.weight.value.mutable_grad().reset();
  return norm;
}

std::vector<NamedTensor> Optimizer::saved_tensors() const {
  std::vector<NamedTensor> result;
  for (const Entry& entry : entries_) {
    const std::string& name = entry.weight.name;
    result.push_back({"weight/" + name, entry.weight.value});
    result.push_back({"moment1/" + name, entry.moment1});
    result.push_back({"moment2/" + name, entry.moment2});
    result.push_back({"steps/" + name, entry.steps});
    if (entry.average.defined()) result.push_back({"average/" + name, entry.average});
  }
  return result;
}

void Optimizer::use_averages() {
  const at::NoGradGuard no_grad;
  for (const Entry& entry : entries_) {
    if (entry.average.defined()) entry.weight.value.copy_(entry.average);
  }
}

}  // namespace blip3u
