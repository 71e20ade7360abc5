// Flow matching on straight lines (Lipman et al. 2023, arXiv:2210.02747; Liu et al. 2023, arXiv:2209.03003). Time 0 is
// data, time 1 is noise: x_t = (1-t) data + t noise, and the velocity is noise - data.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <torch/torch.h>

#include "blip3u/parameters.h"
#include "blip3u/random.h"
#include "blip3u/sampler.h"
#include "layers/loss.h"

namespace blip3u::layers {

// Parameters of components that train and sample a flow.
inline constexpr const char* flow_time_distributions[] = {"uniform", "logit_normal"};
inline constexpr const char* flow_solvers[] = {"euler", "midpoint", "heun"};
inline constexpr const char* flow_predictions[] = {"velocity", "data"};
inline constexpr ParameterSpec flow_parameters[] = {
    text("prediction", "velocity", "what the network gives: the velocity, or the clean data, from which it is derived",
         flow_predictions),
    text("time_distribution", "logit_normal", "how training draws times (logit_normal: Esser et al. 2024)",
         flow_time_distributions),
    number("time_mean", 0.0, -5.0, 5.0, "mean of the normal variable below logit_normal; positive means more noise"),
    number("time_deviation", 1.0, 0.01, 10.0, "standard deviation of the normal variable below logit_normal"),
    text("solver", "euler", "how sampling integrates the velocity; midpoint and heun evaluate it twice a step",
         flow_solvers),
    integer("steps", 30, 1, 10000, "solver steps of sampling"),
    number("shift", 1.0, 0.01, 100.0, "moves times towards noise: t -> shift t / (1 + (shift-1) t); 1: not at all"),
};

enum class FlowSolver { euler, midpoint, heun };

struct FlowOptions {
  bool predicts_data = false;
  bool logit_normal = true;
  double time_mean = 0.0, time_deviation = 1.0;
  FlowSolver solver = FlowSolver::euler;
  std::int64_t steps = 30;
  double shift = 1.0;
};

inline FlowOptions flow_options(const Parameters& parameters) {
  const std::string& solver = parameters.text("solver");
  return {.predicts_data = parameters.text("prediction") == "data",
          .logit_normal = parameters.text("time_distribution") == "logit_normal",
          .time_mean = parameters.number("time_mean"),
          .time_deviation = parameters.number("time_deviation"),
          .solver = solver == "heun"       ? FlowSolver::heun
                    : solver == "midpoint" ? FlowSolver::midpoint
                                           : FlowSolver::euler,
          .steps = parameters.integer("steps"),
          .shift = parameters.number("shift")};
}

/// For a time that is a number or a tensor.
template <class Time>
Time shift_time(const Time& time, double shift) {
  return shift * time / (1 + (shift - 1) * time);
}

/// One time in (0,1) for each row of the generator: [B].
inline Tensor draw_times(Generator& generator, const FlowOptions& options, at::Device device) {
  const Tensor time = options.logit_normal
                          ? at::sigmoid(generator.normal({}, device) * options.time_deviation + options.time_mean)
                          : generator.uniform({}, device);
  return shift_time(time, options.shift);
}

/// A network of (x, time), where time is [B].
using FlowNetwork = std::function<Tensor(const Tensor&, const Tensor&)>;

/// time [B] in a shape that broadcasts over x [B,...].
inline Tensor broadcast_time(const Tensor& time, const Tensor& x) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[0] = time.size(0);
  return time.view(shape);
}

/// The velocity at x that follows from what the network predicts.
inline Tensor flow_velocity(const FlowNetwork& network, const Tensor& x, const Tensor& time,
                            const FlowOptions& options) {
  const Tensor prediction = network(x, time);
  if (!options.predicts_data) return prediction;
  constexpr double smallest = 0.05;  // the division would magnify errors without limit
  return (x - prediction) / broadcast_time(time, x).clamp_min(smallest);
}

/// The training objective: the squared error of the velocity. One generator row for each row of the data [B,...].
inline Loss flow_loss(std::string name, const FlowNetwork& network, const Tensor& data, Generator& generator,
                      const FlowOptions& options) {
  const Tensor time = draw_times(generator, options, data.device());
  const Tensor noise = generator.normal(data.sizes().slice(1), data.device());
  const Tensor noised = at::lerp(data, noise, broadcast_time(time, data));
  return squared_error(std::move(name), flow_velocity(network, noised, time, options), noise - data);
}

/// Follows the velocity from time 1, where x is noise, to time 0.
inline Tensor integrate_flow(const FlowNetwork& network, Tensor x, const FlowOptions& options,
                             const Progress& progress) {
  const auto at_time = [&](const Tensor& state, double time) {
    return flow_velocity(network, state, at::full({state.size(0)}, time, state.options()), options);
  };
  for (std::int64_t step = 0; step < options.steps; ++step) {
    const auto count = static_cast<double>(options.steps);
    const double time = shift_time(1.0 - static_cast<double>(step) / count, options.shift);
    const double next = shift_time(1.0 - static_cast<double>(step + 1) / count, options.shift);
    const double length = next - time;  // negative
    const Tensor slope = at_time(x, time);
    switch (options.solver) {
      case FlowSolver::euler: x = x + length * slope; break;
      case FlowSolver::midpoint: x = x + length * at_time(x + 0.5 * length * slope, time + 0.5 * length); break;
      case FlowSolver::heun: x = x + 0.5 * length * (slope + at_time(x + length * slope, next)); break;
    }
    if (progress) progress(step + 1, options.steps);
  }
  return x;
}

}  // namespace blip3u::layers
