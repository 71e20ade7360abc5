// Whether training reaches every weight, and whether the weights are all that an instance holds.
#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/ranges.h>

#include "blip3u/encoder.h"
#include "calls.h"
#include "differences.h"
#include "partners.h"

namespace blip3u::conformance {

namespace {

std::vector<NamedTensor> trainable(const Component& component) {
  std::vector<NamedTensor> weights;
  for (NamedTensor& weight : component.weights()) {
    if (!weight.value.is_floating_point()) continue;
    weight.value.set_requires_grad(true);
    weights.push_back(std::move(weight));
  }
  return weights;
}

/// The loss at the component's weights, with the same noise and the same dropout every time.
Tensor loss_of(const Subject& subject, const Call& loss, Component& component, at::ScalarType type) {
  at::manual_seed(subject.options().seed);
  Generator generator = Generator::for_rows(subject.options().seed, 0, rows);
  Tensors inputs = copies(loss.inputs);
  for (Tensor& input : inputs) {
    if (input.is_floating_point()) input = input.to(type);
  }
  return loss.run(component, inputs, generator).at(0);
}

/// Fills the gradients of all weights anew.
void backward(const Subject& subject, const Call& loss, Component& component, const std::vector<NamedTensor>& weights,
              at::ScalarType type) {
  for (const NamedTensor& weight : weights) weight.value.mutable_grad() = Tensor();
  const Tensor value = loss_of(subject, loss, component, type);
  if (!value.requires_grad()) fail("its loss does not depend on its weights; do not detach it");
  value.backward();
}

void step(const std::vector<NamedTensor>& weights) {
  const at::NoGradGuard no_gradient;
  for (const NamedTensor& weight : weights) {
    const double largest = weight.value.grad().abs().max().item<double>();
    if (largest > 0) Tensor(weight.value).sub_(weight.value.grad() * (0.02 / largest));
  }
}

void every_weight_learns(const Subject& subject, const Call& loss) {
  const auto component = subject.make_any();
  component->set_training(true);
  const auto weights = trainable(*component);
  const auto refuse = [&](const char* what, const char* mend, auto wrong) {
    std::vector<std::string> names;
    for (const NamedTensor& weight : weights) {
      if (wrong(weight.value.grad())) names.push_back(weight.name);
    }
    if (!names.empty()) fail("{} the weights {}; {}", what, fmt::join(names, ", "), mend);
  };
  // Behind layers that start at zero gradients are zero at first; one step opens one layer.
  for (int steps = 0; steps <= 3; ++steps) {
    backward(subject, loss, *component, weights, at::kFloat);
    refuse("no gradient reaches", "use them in `loss`, undetached, or do not list them",
           [](const Tensor& gradient) { return !gradient.defined(); });
    refuse("NaN or infinity in the gradients of", "look for divisions, logarithms and roots near zero",
           [](const Tensor& gradient) { return !gradient.isfinite().all().template item<bool>(); });
    if (steps < 3) step(weights);
  }
  refuse("all gradients are zero for", "let the loss depend on them",
         [](const Tensor& gradient) { return gradient.count_nonzero().template item<std::int64_t>() == 0; });
}

/// The derivative of the loss along a direction, by its gradients and by central differences.
void compare_with_differences(const Subject& subject, const Call& loss, at::ScalarType type) {
  const auto component = subject.make_disturbed(7, type);
  component->set_training(true);
  const auto weights = trainable(*component);
  backward(subject, loss, *component, weights, type);
  const at::NoGradGuard no_gradient;
  // Along the gradients, so that the derivative is large, and a little aside; all weights have the same share.
  Tensors direction;
  const double share = 1 / std::sqrt(static_cast<double>(weights.size()));
  double analytic = 0;
  for (const NamedTensor& weight : weights) {
    const Tensor noise =
        Generator({derive_seed(subject.options().seed, weight.name)}).normal(weight.value.sizes(), at::kCPU)[0];
    const double along = std::max(weight.value.grad().norm().item<double>(), 1e-12);
    const double aside = std::sqrt(static_cast<double>(std::max<std::int64_t>(weight.value.numel(), 1)));
    direction.push_back(share * (weight.value.grad() / along + noise.to(weight.value.options()) / aside));
    analytic += (weight.value.grad() * direction.back()).sum().item<double>();
  }
  const auto loss_moved_by = [&](double distance) {
    const auto move = [&](double by) {
      for (std::size_t i = 0; i < weights.size(); ++i) Tensor(weights[i].value).add_(direction[i], by);
    };
    move(distance);
    const double value = loss_of(subject, loss, *component, type).item<double>();
    move(-distance);
    return value;
  };
  if (analytic == 0) fail("all gradients are zero; let the loss depend on the weights");
  if (const auto numeric = other_derivative(analytic, loss_moved_by, 0.05)) {
    fail(
        "the gradients promise a derivative of {:.5g} along a direction in which the loss changes by {:.5g}; some path "
        "is detached, or a hand-written gradient is wrong",
        analytic, *numeric);
  }
}

bool works_in_double(const Subject& subject, const Call& loss) {
  try {
    const auto component = subject.make_disturbed(7, at::kDouble);
    for (const NamedTensor& weight : component->weights()) {
      if (weight.value.is_floating_point() && weight.value.scalar_type() != at::kDouble) return false;
    }
    const at::NoGradGuard no_gradient;
    return loss_of(subject, loss, *component, at::kDouble).scalar_type() == at::kDouble;
  } catch (...) {
    return false;  // other types than float32 are nobody's duty
  }
}

std::string gradients(const Subject& subject, const Behaviour& behaviour) {
  if (subject.make_any()->weights().empty()) skip("it has no weights");
  if (!behaviour.loss.run) skip("its loss is empty, so it is not trained");
  every_weight_learns(subject, behaviour.loss);
  if (!behaviour.smooth) return "not compared with finite differences: gradients through codes are estimates";
  const at::ScalarType type = works_in_double(subject, behaviour.loss) ? at::kDouble : at::kFloat;
  compare_with_differences(subject, behaviour.loss, type);
  return type == at::kDouble ? "compared with finite differences in float64" : "compared in float32: it has no float64";
}

/// Makes `target` equal to `source` in all that it lists.
void copy_all(const Component& source, const Component& target) {
  const at::NoGradGuard no_gradient;
  const auto copy = [](const std::vector<NamedTensor>& from, const std::vector<NamedTensor>& to) {
    if (from.size() != to.size()) fail("two instances list different numbers of weights or state");
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (from[i].name != to[i].name || from[i].value.sizes() != to[i].value.sizes()) {
        fail("two instances list `{}` and `{}` in the same place; list the same names and shapes in a fixed order",
             from[i].name, to[i].name);
      }
      Tensor(to[i].value).copy_(from[i].value);
    }
  };
  copy(source.weights(), target.weights());
  copy(source.state(), target.state());
}

/// Checks `weights` or `state`, asked twice.
void check_list(const char* list, const std::vector<NamedTensor>& listed, const std::vector<NamedTensor>& again) {
  std::set<std::string> names;
  if (listed.size() != again.size()) fail("`{}` lists another number of tensors each time", list);
  for (std::size_t i = 0; i < listed.size(); ++i) {
    if (!listed[i].value.defined()) fail("`{}` lists `{}`, which is undefined", list, listed[i].name);
    if (!names.insert(listed[i].name).second) fail("the name `{}` stands twice in `{}`", listed[i].name, list);
    if (listed[i].value.is_same(again[i].value) || listed[i].value.is_alias_of(again[i].value)) continue;
    fail("`{}` returns copies (of `{}`); return the tensors themselves, for they are written to", list, listed[i].name);
  }
}

/// What training does to a component besides changing its weights: it may move its state.
void train_without_optimiser(const Subject& subject, const Behaviour& behaviour, Component& component) {
  if (!behaviour.loss.run) return;
  const at::NoGradGuard no_gradient;
  component.set_training(true);
  for (int step = 0; step < 3; ++step) {
    Generator generator = Generator::for_rows(subject.options().seed, step * rows, rows);
    behaviour.loss.run(component, copies(behaviour.loss.inputs), generator);
    if (auto* const encoder = dynamic_cast<Encoder*>(&component)) encoder->after_step(generator);
    if (auto* const able = dynamic_cast<AfterStep*>(&component)) able->after_step(generator);
  }
  component.set_training(false);
}

/// Weights whose change changes nothing. Stops after a while: a large component has many.
std::vector<std::string> idle_weights(const Subject& subject, const Behaviour& behaviour) {
  constexpr std::size_t most = 48;
  const auto component = subject.make_disturbed();
  const Tensors before = observe(*component, behaviour, subject.options().seed);
  const auto weights = component->weights();
  const at::NoGradGuard no_gradient;
  std::vector<std::string> idle;
  const std::size_t stride = std::max<std::size_t>(1, (weights.size() + most - 1) / most);
  for (std::size_t i = 0; i < weights.size(); i += stride) {
    Tensor value = weights[i].value;
    if (!value.is_floating_point()) continue;
    const Tensor kept = value.clone();
    const Tensor noise =
        Generator({derive_seed(subject.options().seed, weights[i].name)}).normal(value.sizes(), at::kCPU);
    value.add_(noise[0].to(value.options()));
    const Tensors after = observe(*component, behaviour, subject.options().seed);
    bool equal = true;
    for (std::size_t k = 0; k < before.size(); ++k) equal = equal && before[k].equal(after[k]);
    if (equal) idle.push_back(weights[i].name);
    value.copy_(kept);
  }
  return idle;
}

void weights_registered(const Subject& subject, const Behaviour& behaviour) {
  const auto first = subject.make_disturbed(7), second = subject.make_disturbed(8);
  if (first->weights().empty() && first->state().empty()) skip("it has no weights");
  check_list("weights", first->weights(), first->weights());
  check_list("state", first->state(), first->state());
  train_without_optimiser(subject, behaviour, *first);
  copy_all(*first, *second);
  const std::uint64_t seed = subject.options().seed;
  const Tensors expected = observe(*first, behaviour, seed);
  if (const double distance = difference(observe(*second, behaviour, seed), expected); !(distance <= 1e-5)) {
    fail(
        "two instances with the same weights and state give different results (by {:.2g}), so something learnt or "
        "drawn is in neither list and would be lost in a checkpoint; register it",
        distance);
  }
  first->set_training(true);
  first->set_training(false);
  if (const double distance = difference(observe(*first, behaviour, seed), expected); !(distance <= 1e-5)) {
    fail("after set_training(true) and set_training(false) the results differ (by {:.2g})", distance);
  }
  const auto idle = idle_weights(subject, behaviour);
  if (!idle.empty()) {
    fail("changing the weights {} changes no result; use them, or do not list them", fmt::join(idle, ", "));
  }
}

/// The terms of LearnsBesides: differentiable, and only of what was computed since they were asked for.
std::string losses_besides(const Subject& subject, const Behaviour& behaviour) {
  const auto component = subject.make_disturbed();
  component->set_training(true);
  const auto weights = trainable(*component);
  std::optional<Visual> target;
  if (subject.component().kind == Kind::denoiser) {
    const Layout& layout = subject.wiring().features;
    target = as_visual(layout, image_tokens(layout, rows, subject.options().seed, subject.context().device));
  }
  const auto take = [&] { return dynamic_cast<LearnsBesides&>(*component).take_losses(target ? &*target : nullptr); };
  take();
  loss_of(subject, behaviour.loss, *component, at::kFloat);
  const std::vector<Loss> losses = take();
  if (losses.empty()) fail("`take_losses` has no term of what was computed with gradients");
  check_losses(subject, losses);
  for (const Loss& loss : losses) {
    if (!loss.sum.requires_grad()) fail("the term `{}` depends on no weight; do not detach it", loss.name);
  }
  if (!take().empty()) fail("`take_losses` gives the same terms again; forget what was taken");
  {
    const at::NoGradGuard no_gradient;
    loss_of(subject, behaviour.loss, *component, at::kFloat);
  }
  if (!take().empty()) fail("`take_losses` has terms of what was computed without gradients; keep none of it");
  return fmt::format("{} terms", losses.size());
}

}  // namespace

void check_training(Recorder& recorder, const Subject& subject, const Behaviour& behaviour) {
  recorder.run("gradients", [&] { return gradients(subject, behaviour); });
  if (dynamic_cast<LearnsBesides*>(subject.make_any().get())) {
    recorder.run("losses_besides", [&] { return losses_besides(subject, behaviour); });
  }
  recorder.run("weights_registered", [&] { weights_registered(subject, behaviour); });
}

}  // namespace blip3u::conformance
