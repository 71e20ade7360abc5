// Samplers: what they share with all kinds, and solver and objective against closed forms.
#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/ranges.h>

#include "blip3u/sampler.h"
#include "kinds.h"
#include "partners.h"
#include "schedule.h"

namespace blip3u::conformance {

namespace {

Sampler& sampler(Component& component) { return dynamic_cast<Sampler&>(component); }

/// The training objective of one, if it has its own.
Objective& objective(Sampler& sampler) {
  if (auto* const own = dynamic_cast<Objective*>(&sampler)) return *own;
  skip("it has no training objective (mixin Objective)");
}

Condition condition(const Tensor& tokens) { return Condition(nullptr, tokens); }

/// What it makes under contexts of `noise.rows()` rows each.
Tensor sampled(Sampler& sampler, Denoiser& denoiser, const Layout& layout, const Condition& condition, Generator& noise,
               std::int64_t contexts = 1, Guidance* guidance = nullptr) {
  return sampler
      .sample({.denoiser = denoiser,
               .layout = layout,
               .condition = condition,
               .noise = noise,
               .rows = noise.rows(),
               .contexts = contexts,
               .guidance = guidance})
      .visual.x;
}

/// Classifier-free guidance with a scale of 3.
class Guided : public Guidance {
 public:
  std::vector<Context> contexts() const override { return {Context::whole, Context::nothing}; }
  Tensor combine(const Combination& given) override { return 3 * given.predictions[0] - 2 * given.predictions[1]; }
};

/// Any smooth function of all that a denoiser sees.
Tensor smooth(const Tensor& x, const Tensor& time, const Condition& condition) {
  const Tensor plain = 0.3 * x + time.view({-1, 1, 1}) - 0.2;
  return condition.tokens.defined() ? plain + condition.tokens : plain;
}

void require_features(const Subject& subject) {
  if (subject.wiring().features.codebook > 0) skip("it makes codes, for which the kit has no partner");
}

/// The error of the solver with so many steps: how far the share of data below a result is from where it started.
double error_of(Sampler& solver, const Oracle& oracle, const Layout& layout, at::Device device) {
  constexpr std::int64_t many = 16;
  const at::NoGradGuard no_gradient;
  Tensor start;
  FunctionDenoiser denoiser([&](const Tensor& x, const Tensor& time, const Condition&) {
    if (!start.defined()) start = Schedule::share_below(x, oracle.schedule().at(time));
    return oracle.predict(x, time);
  });
  Generator generator = Generator::for_rows(3, 0, many);
  const Tensor made =
      sampled(solver, denoiser, layout, condition(at::zeros({many, 1, 1}, at::TensorOptions(device))), generator);
  if (!start.defined()) skip("it makes images without the denoiser");
  const Tensor one = at::ones({1, 1, 1}, start.options());
  return (Schedule::share_below(made, {one, one - 1}) - start).square().mean().sqrt().item<double>();
}

std::string order_of_convergence(const Subject& subject) {
  require_features(subject);
  const auto given = subject.make<Sampler>();
  const double stated = given->order();
  if (!(stated > 0)) skip("it states no order (Sampler::order)");
  const Layout& layout = subject.wiring().features;
  const at::Device device = subject.context().device;
  const Oracle oracle(objective(*given), layout, device);
  std::vector<double> errors, orders;
  for (const std::int64_t steps : {8, 16, 32, 64}) {
    const Overrides overrides = {{"steps", steps}};
    if (!subject.accepts(overrides)) skip("it has no parameter `steps` that may be {}", steps);
    const auto solver = subject.make<Sampler>({.overrides = overrides});
    errors.push_back(error_of(*solver, oracle, layout, device));
    if (!std::isfinite(errors.back())) fail("with {} steps the result is not finite", steps);
  }
  constexpr double rounding = 1e-6;  // float32 goes no further
  for (std::size_t i = 0; i + 1 < errors.size(); ++i) {
    if (errors[i + 1] > rounding) orders.push_back(std::log2(errors[i] / errors[i + 1]));
  }
  const std::string found = fmt::format("errors with 8, 16, 32 and 64 steps: {:.2e}; it predicts {}",
                                        fmt::join(errors, ", "), oracle.parametrisation());
  if (orders.empty()) return "exact to rounding; " + found;
  // The first halving may still be far from the limit.
  const double best = *std::max_element(orders.size() > 2 ? orders.begin() + 1 : orders.begin(), orders.end());
  if (best < stated - 0.3) {
    fail("it states order {:.3g}, but its error falls with order {:.2f} ({}); correct the solver or Sampler::order",
         stated, best, found);
  }
  return fmt::format("order {:.2f}, stated {:.3g}; {}", best, stated, found);
}

std::string loss_minimum(const Subject& subject) {
  require_features(subject);
  const auto given = subject.make<Sampler>();
  const Layout& layout = subject.wiring().features;
  const at::Device device = subject.context().device;
  const Oracle oracle(objective(*given), layout, device);
  struct Change {
    const char* name;
    double factor, offset, of_x, of_time;
  };
  constexpr double part = 0.1;
  constexpr Change changes[] = {
      {"itself", 0, 0, 0, 0},         {"10 % more", part, 0, 0, 0},  {"10 % less", -part, 0, 0, 0},
      {"0.1 more", 0, part, 0, 0},    {"0.1 less", 0, -part, 0, 0},  {"0.1 x more", 0, 0, part, 0},
      {"0.1 x less", 0, 0, -part, 0}, {"0.1 t more", 0, 0, 0, part}, {"0.1 t less", 0, 0, 0, -part}};
  double least = 0;
  for (const Change& change : changes) {
    double moved = 0;
    const double loss =
        Oracle::loss(objective(*given), layout, device, [&](const Tensor& x, const Tensor& time, const Condition&) {
          const Tensor best = oracle.predict(x, time);
          const Tensor shift =
              change.factor * best + change.offset + change.of_x * x + change.of_time * time.view({-1, 1, 1});
          moved = shift.square().mean().item<double>();
          return best + shift;
        });
    if (&change == &changes[0]) {
      least = loss;
    } else if (moved > 1e-4 && loss <= least) {
      fail(
          "its loss is {:.5g} for the best prediction of {}, but {:.5g} for {}; correct what it compares the "
          "prediction with",
          least, oracle.parametrisation(), loss, change.name);
    }
  }
  return fmt::format("{:.5g}; it predicts {}", least, oracle.parametrisation());
}

/// The gradient that reaches the denoiser: of a factor on its prediction, against central differences.
void differentiable_loss(const Subject& subject) {
  require_features(subject);
  constexpr std::int64_t many = 64;
  const auto given = subject.make<Sampler>();
  const at::Device device = subject.context().device;
  const Tensor target = modes::draw(subject.wiring().features, many, 5, device);
  Tensor factor = at::ones({1, 1, 1}, at::TensorOptions(device)).set_requires_grad(true);
  FunctionDenoiser denoiser(
      [&](const Tensor& x, const Tensor& time, const Condition& tokens) { return factor * smooth(x, time, tokens); });
  const auto loss_now = [&] {
    Generator generator = Generator::for_rows(subject.options().seed, 0, many);
    const Visual data{target, {}};
    const Condition tokens(nullptr, at::zeros({many, 1, 1}, target.options()));
    return total(objective(*given).loss({denoiser, data, tokens, generator}));
  };
  const Tensor loss = loss_now();
  if (!loss.defined()) skip("its loss is empty, so it trains nothing");
  if (!loss.requires_grad()) fail("its loss does not depend on the denoiser's prediction; do not detach it");
  loss.backward();
  const double analytic = factor.grad().item<double>(), size = std::abs(loss.item<double>());
  const at::NoGradGuard no_gradient;
  constexpr double distance = 0.05;
  const auto loss_at = [&](double value) {
    factor.fill_(value);
    return loss_now().item<double>();
  };
  const double numeric = (loss_at(1 + distance) - loss_at(1 - distance)) / (2 * distance);
  const double allowed = 0.02 * std::max(std::abs(analytic), std::abs(numeric)) + 1e-6 * size / distance;
  if (std::abs(analytic - numeric) <= allowed && std::isfinite(analytic)) return;
  fail(
      "its gradients promise a derivative of {:.5g} by a factor on the prediction, where the loss changes by {:.5g}; "
      "some path is detached, or a hand-written gradient is wrong",
      analytic, numeric);
}

void finite_at_ends(const Subject& subject) {
  require_features(subject);
  const at::NoGradGuard no_gradient;
  const auto given = subject.make<Sampler>();
  const Layout& layout = subject.wiring().features;
  const at::Device device = subject.context().device;
  const FunctionDenoiser::Predict spy = [](const Tensor& x, const Tensor& time, const Condition& tokens) {
    if (time.sizes() != at::IntArrayRef({x.size(0)})) fail("it calls predict with a time that is not [B]");
    if (time.scalar_type() != at::kFloat) fail("it calls predict with a time that is not float32");
    const double low = time.min().item<double>(), high = time.max().item<double>();
    if (!(low >= 0 && high <= 1)) fail("it calls predict with times from {} to {}, outside [0,1]", low, high);
    if (!x.isfinite().all().item<bool>()) {
      fail("it gives the denoiser NaN or infinity at times from {} to {}; look for divisions by time", low, high);
    }
    return smooth(x, time, tokens);
  };
  FunctionDenoiser denoiser(spy);
  const Condition tokens = condition(at::zeros({64, 1, 1}, at::TensorOptions(device)));
  Generator generator = Generator::for_rows(subject.options().seed, 0, 64);
  if (!sampled(*given, denoiser, layout, tokens, generator).isfinite().all().item<bool>())
    fail("its result has NaN or infinity; look at its last step");
  const Visual data{modes::draw(layout, 64, 5, device), {}};
  const Tensor loss = total(objective(*given).loss({denoiser, data, tokens, generator}));
  if (loss.defined() && !std::isfinite(loss.item<double>())) fail("its loss is not finite");
  try {
    if (Schedule(objective(*given), layout, device).forward()) return;
  } catch (const Skipped&) {
    return;  // which way its time runs cannot be told
  }
  fail("it gives the denoiser more of the data at time 1 than at time 0; time 0 is data and 1 is noise");
}

}  // namespace

Behaviour sampler_behaviour(const Subject& subject) {
  const Layout layout = subject.wiring().features;
  Behaviour behaviour;
  if (layout.codebook > 0) return behaviour;
  const std::uint64_t seed = subject.options().seed;
  const at::Device device = subject.context().device;
  const Tensor full = normal({1, 1}, rows, seed, device), empty = normal({1, 1}, rows, seed + 1, device);
  bool random = false, trains = false;
  try {
    const auto given = subject.make<Sampler>();
    random = given->order() > 0;  // a solver starts from noise
    trains = dynamic_cast<Objective*>(given.get()) != nullptr;
  } catch (...) {  // a check will meet it again and report it
  }
  Call sample{.name = "sample", .names = {"condition", "empty condition"}, .inputs = {full, empty}};
  sample.outputs = {{"x", {layout.tokens, layout.width}}};
  sample.draws = random ? Draws::surely : Draws::perhaps;
  sample.tolerance = 1e-4;
  sample.run = [layout](Component& component, const Tensors& inputs, Generator& generator) {
    FunctionDenoiser denoiser(smooth);
    Guided guidance;
    const Tensor both = at::cat({inputs[0], inputs[1]});
    const Tensor given = both.clone();
    const Tensor made = sampled(sampler(component), denoiser, layout, condition(given), generator, 2, &guidance);
    if (!given.equal(both)) inputs[0].copy_(given.slice(0, 0, inputs[0].size(0)));  // let `inputs_unaltered` see it
    return Tensors{made};
  };
  behaviour.calls.push_back(sample);
  if (!trains) return behaviour;
  const auto losses = [](Component& component, const Tensors& inputs, Generator& generator) {
    FunctionDenoiser denoiser(smooth);
    const Visual target{inputs[0], {}};
    const Condition tokens(nullptr, inputs[1]);
    return objective(sampler(component)).loss({denoiser, target, tokens, generator});
  };
  Call& loss = behaviour.loss;
  loss = {.name = "loss", .names = {"target", "condition"}};
  loss.inputs = {normal({layout.tokens, layout.width}, rows, seed + 2, device), full};
  loss.outputs = {{"the loss", {}}};
  loss.by_row = false;
  loss.draws = sample.draws;
  loss.run = [losses](Component& component, const Tensors& inputs, Generator& generator) {
    return Tensors{total(losses(component, inputs, generator))};
  };
  behaviour.declares = [&subject, losses, inputs = loss.inputs](Component& component) {
    Generator generator = Generator::for_rows(1, 0, rows);
    check_losses(subject, losses(component, inputs, generator));
  };
  return behaviour;
}

void check_sampler(Recorder& recorder, const Subject& subject) {
  recorder.run("order_of_convergence", [&] { return order_of_convergence(subject); });
  recorder.run("loss_minimum", [&] { return loss_minimum(subject); });
  recorder.run("gradients", [&] { differentiable_loss(subject); });
  recorder.run("finite_at_ends", [&] { finite_at_ends(subject); });
}

}  // namespace blip3u::conformance
