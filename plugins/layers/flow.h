// Flow matching on straight lines (Lipman et al. 2023, arXiv:2210.02747; Liu et al. 2023, arXiv:2209.03003). Time 0 is
// data, time 1 is noise: x_t = (1-t) data + t noise, and the velocity is noise - data.
#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <torch/torch.h>

#include "blip3u/parameters.h"
#include "blip3u/random.h"
#include "blip3u/visual.h"
#include "blip3u/watch.h"
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
    number("time_shift", 1.0, 0.0, 100.0,
           "moves the times of training towards noise: t -> s t / (1 + (s-1) t); 1: not at all; 0: s is chosen by how "
           "many numbers a picture has, sqrt(numbers / 4096) (arXiv:2601.16208)"),
    inference(text("solver", "euler",
                   "how sampling integrates the velocity; midpoint and heun evaluate it twice a step", flow_solvers)),
    inference(integer("steps", 30, 1, 10000, "solver steps of sampling")),
    inference(number("shift", 1.0, 0.0, 100.0,
                     "moves the times of sampling, as time_shift those of training; 1: not at all; 0: s is chosen by "
                     "how many numbers a picture has, sqrt(numbers / 4096) (arXiv:2601.16208)")),
};

enum class FlowSolver { euler, midpoint, heun };

struct FlowOptions {
  bool predicts_data = false;
  bool logit_normal = true;
  double time_mean = 0.0, time_deviation = 1.0, time_shift = 1.0;
  FlowSolver solver = FlowSolver::euler;
  std::int64_t steps = 30;
  double shift = 1.0;
};

/// Of a flow that makes pictures of so many numbers.
inline FlowOptions flow_options(const Parameters& parameters, std::int64_t numbers) {
  const std::string& solver = parameters.text("solver");
  const auto shift = [&](const char* name) {
    const double given = parameters.number(name);
    return given > 0 ? given : std::sqrt(static_cast<double>(numbers) / 4096);
  };
  return {.predicts_data = parameters.text("prediction") == "data",
          .logit_normal = parameters.text("time_distribution") == "logit_normal",
          .time_mean = parameters.number("time_mean"),
          .time_deviation = parameters.number("time_deviation"),
          .time_shift = shift("time_shift"),
          .solver = solver == "heun"       ? FlowSolver::heun
                    : solver == "midpoint" ? FlowSolver::midpoint
                                           : FlowSolver::euler,
          .steps = parameters.integer("steps"),
          .shift = shift("shift")};
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
  return shift_time(time, options.time_shift);
}

/// A network of (x, time), where time is [B].
using FlowNetwork = std::function<Tensor(const Tensor&, const Tensor&)>;

/// time [B] in a shape that broadcasts over x [B,...].
inline Tensor broadcast_time(const Tensor& time, const Tensor& x) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[0] = time.size(0);
  return time.view(shape);
}

/// The training objective: the squared error of the velocity. One generator row for each row of the data [B,...]. That
/// of predicted data follows from x = (1-t) data + t noise, where the division by t would magnify errors without limit:
/// below the smallest time all count alike.
inline Loss flow_loss(std::string name, const FlowNetwork& network, const Tensor& data, Generator& generator,
                      const FlowOptions& options) {
  constexpr double smallest = 0.05;
  const Tensor time = draw_times(generator, options, data.device());
  const Tensor noise = generator.normal(data.sizes().slice(1), data.device());
  const Tensor noised = at::lerp(data, noise, broadcast_time(time, data));
  const Tensor prediction = network(noised, time);
  if (!options.predicts_data) return squared_error(std::move(name), prediction, noise - data);
  const Tensor scale = broadcast_time(time, data).clamp_min(smallest);
  return squared_error(std::move(name), prediction / scale, data / scale);
}

/// The time before step i of `steps`, and after the last.
inline double flow_time(std::int64_t i, const FlowOptions& options) {
  return shift_time(1.0 - static_cast<double>(i) / static_cast<double>(options.steps), options.shift);
}

/// Whether Heun's method looks at the end of this step. Data that are predicted at time 0 say nothing of the velocity.
inline bool heun_corrects(std::int64_t step, const FlowOptions& options) {
  return options.solver == FlowSolver::heun && !(options.predicts_data && step + 1 == options.steps);
}

/// The times at which solve_flow asks the network, in this order.
inline std::vector<double> flow_times(const FlowOptions& options) {
  std::vector<double> times;
  for (std::int64_t step = 0; step < options.steps; ++step) {
    const double time = flow_time(step, options), next = flow_time(step + 1, options);
    times.push_back(time);
    if (options.solver == FlowSolver::midpoint) times.push_back(0.5 * (time + next));
    if (heun_corrects(step, options)) times.push_back(next);
  }
  return times;
}

/// A network of (x, time, place of the time in flow_times).
using TimedNetwork = std::function<Tensor(const Tensor&, double, std::int64_t)>;

/// Follows the velocity from time 1, where x is noise, to time 0.
inline Tensor solve_flow(const TimedNetwork& network, Tensor x, const FlowOptions& options, const Watch& watch) {
  std::int64_t asked = 0;
  const auto velocity = [&](const Tensor& state, double time) {
    const Tensor prediction = network(state, time, asked++);
    return options.predicts_data ? (state - prediction) / time : prediction;
  };
  for (std::int64_t step = 0; step < options.steps; ++step) {
    const double time = flow_time(step, options), next = flow_time(step + 1, options);
    const double length = next - time;  // negative
    const Tensor slope = velocity(x, time);
    const Visual guess{.x = x - time * slope, .codes = {}};  // straight on to the data
    if (options.solver == FlowSolver::midpoint) {
      x = x + length * velocity(x + 0.5 * length * slope, time + 0.5 * length);
    } else if (heun_corrects(step, options)) {
      x = x + 0.5 * length * (slope + velocity(x + length * slope, next));
    } else {
      x = x + length * slope;
    }
    report(watch, {.done = step + 1, .total = options.steps, .guess = &guess});
  }
  return x;
}

}  // namespace blip3u::layers
