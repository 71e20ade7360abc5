// Solvers and objectives of features against closed forms.
#include <algorithm>
#include <cmath>

#include <fmt/ranges.h>

#include "sampling.h"
#include "schedule.h"

namespace blip3u::conformance {

namespace {

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
      sampled(solver, denoiser, layout, condition(at::zeros({many, 1, 1}, at::TensorOptions(device))), generator)
          .visual.x;
  if (!start.defined()) skip("it makes images without the denoiser");
  const double low = made.min().item<double>(), high = made.max().item<double>();
  if (made.eq(low).logical_or(made.eq(high)).to(at::kFloat).mean().item<double>() > 0.05) {
    skip("it cuts its results off at {:.3g} and {:.3g}, which the kit's data exceed; give it wider limits with --set",
         low, high);
  }
  const Tensor one = at::ones({1, 1, 1}, start.options());
  return (Schedule::share_below(made, {one, one - 1}) - start).square().mean().sqrt().item<double>();
}

/// Trains what a solver without an objective of its own solves.
class Straight : public Objective {
 public:
  explicit Straight(bool data) : data_(data) {}
  std::vector<Loss> loss(const LossTask& task) override {
    const Tensor& data = task.target.x;
    const Tensor noise = task.noise.normal(data.sizes().slice(1), data.device());
    const Tensor time = task.noise.uniform({}, data.device());
    const Tensor noised = at::lerp(data, noise, time.view({-1, 1, 1}));
    const Tensor made = task.denoiser.predict({.noised = {noised, {}}, .time = time, .condition = task.condition});
    const Tensor error = made - (data_ ? data : noise - data);
    return {{"squared_error", error.square().sum(), at::full({}, static_cast<double>(data.numel()))}};
  }

 private:
  bool data_;
};

Oracle oracle_for(Sampler& solver, const Subject& subject) {
  const Layout& layout = subject.wiring().features;
  const at::Device device = subject.context().device;
  if (auto* const own = dynamic_cast<Objective*>(&solver)) return Oracle(*own, layout, device);
  const std::string& solved = subject.wiring().objective;
  if (solved != "velocity/linear" && solved != "data/linear") {
    skip("the kit knows no exact solution of what it solves ({})", solved);
  }
  Straight straight(solved == "data/linear");
  return Oracle(straight, layout, device);
}

}  // namespace

std::string order_of_convergence(const Subject& subject) {
  const auto given = subject.make<Sampler>();
  const double stated = given->order();
  if (!(stated > 0)) skip("it states no order (Sampler::order)");
  const Layout& layout = subject.wiring().features;
  const at::Device device = subject.context().device;
  const Oracle oracle = oracle_for(*given, subject);
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

}  // namespace blip3u::conformance
