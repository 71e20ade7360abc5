// Samplers that are wrong in one way each, and `sound`, from which they differ.
#include <algorithm>
#include <cmath>
#include <utility>

#include <torch/torch.h>

#include "blip3u/plugin.h"
#include "blip3u/sampler.h"
#include "layers/flow.h"
#include "layers/loss.h"
#include "layers/sampling.h"

namespace blip3u::mutants {
namespace {

/// Flow on straight lines from noise (time 1) to data (time 0), followed by Heun's method.
class Sound : public Sampler, public Objective {
 public:
  Sound(const Parameters& parameters, const BuildContext& context) : device_(context.device) {
    options_.logit_normal = false;
    options_.solver = layers::FlowSolver::heun;
    options_.steps = parameters.integer("steps");
  }

  double order() const override { return 2; }

  std::vector<Loss> loss(const LossTask& task) override {
    const Tensor& data = task.target.x;
    const Tensor time = layers::draw_times(task.noise, options_, data.device());
    const Tensor noise = task.noise.normal(data.sizes().slice(1), data.device());
    const Tensor noised = at::lerp(data, noise, layers::broadcast_time(time, data));
    const Tensor prediction =
        task.denoiser.predict({.noised = {noised, {}}, .time = time, .condition = task.condition});
    return {layers::squared_error("flow", prediction, velocity(data, noise))};
  }

  Made sample(const SampleTask& task) override {
    const auto network = [&](const Tensor& x, double time, std::int64_t) {
      return guided_prediction(task, {x, {}}, time);
    };
    return {.visual = {layers::solve_flow(network, start(task.layout, task.noise), options_, task.watch), {}}};
  }

 protected:
  /// What the denoiser is to predict.
  virtual Tensor velocity(const Tensor& data, const Tensor& noise) const { return noise - data; }

  /// The noise that sampling begins with.
  virtual Tensor start(const Layout& layout, Generator& generator) const {
    return generator.normal({layout.tokens, layout.width}, device_);
  }

  layers::FlowOptions options_;

 private:
  at::Device device_;
};

/// Honest: Euler's method for the first sqrt(n) of n steps, then Heun's. Its error falls as h^1.5.
class BetweenOrders : public Sound {
 public:
  using Sound::Sound;
  double order() const override { return 1.5; }
  Made sample(const SampleTask& task) override {
    const auto simple = static_cast<std::int64_t>(std::sqrt(static_cast<double>(options_.steps)));
    Tensor x = start(task.layout, task.noise);
    for (std::int64_t step = 0; step < options_.steps; ++step) {
      const double time = layers::flow_time(step, options_), next = layers::flow_time(step + 1, options_);
      const Tensor here = guided_prediction(task, {x, {}}, time);
      const Tensor there = step < simple ? here : guided_prediction(task, {x + (next - time) * here, {}}, next);
      x = x + 0.5 * (next - time) * (here + there);
      report(task.watch, {.done = step + 1, .total = options_.steps});
    }
    return {.visual = {x, {}}};
  }
};

/// States the order of Heun's method, but follows Euler's.
class OverstatesOrder : public Sound {
 public:
  OverstatesOrder(const Parameters& parameters, const BuildContext& context) : Sound(parameters, context) {
    options_.solver = layers::FlowSolver::euler;
  }
};

/// Teaches the opposite of what its solver follows.
class WrongSign : public Sound {
  using Sound::Sound;
  Tensor velocity(const Tensor& data, const Tensor& noise) const override { return data - noise; }
};

class DetachesPrediction : public Sound {
  using Sound::Sound;
  std::vector<Loss> loss(const LossTask& task) override {
    auto losses = Sound::loss(task);
    for (Loss& loss : losses) loss.sum = loss.sum.detach();
    return losses;
  }
};

class WrongScale : public Sound {
  using Sound::Sound;
  Tensor velocity(const Tensor& data, const Tensor& noise) const override { return 0.9 * (noise - data); }
};

/// Draws as ever, but begins with the same noise each time.
class IgnoresGenerator : public Sound {
  using Sound::Sound;
  Tensor start(const Layout& layout, Generator& generator) const override {
    const Tensor drawn = Sound::start(layout, generator);
    return Generator({0}).normal(drawn.sizes().slice(1), drawn.device()).expand_as(drawn);
  }
};

class OneNoiseForAll : public Sound {
  using Sound::Sound;
  Tensor start(const Layout& layout, Generator& generator) const override {
    const Tensor drawn = Sound::start(layout, generator);
    return drawn.slice(0, 0, 1).expand_as(drawn);
  }
};

/// Normalises the conditions where they lie.
class AltersConditions : public Sound {
  using Sound::Sound;
  Made sample(const SampleTask& task) override {
    const torch::NoGradGuard no_gradient;
    Tensor tokens = task.condition.tokens;
    if (tokens.defined()) tokens.copy_(torch::layer_norm(tokens, {tokens.size(-1)}));
    return Sound::sample(task);
  }
};

/// Its loss carries a name that the descriptor does not list, so that no recipe can weigh it.
class UnlistedLoss : public Sound {
  using Sound::Sound;
  std::vector<Loss> loss(const LossTask& task) override {
    auto result = Sound::loss(task);
    result.front().name = "velocity";
    return result;
  }
};

/// A denoiser whose time runs from noise to data.
class Backwards : public Denoiser {
 public:
  explicit Backwards(Denoiser& denoiser) : denoiser_(denoiser) {}
  std::unique_ptr<Condition> prepare(const Given& given) override { return denoiser_.prepare(given); }
  Tensor predict(const Prediction& asked) override {
    return denoiser_.predict({.noised = asked.noised, .time = 1 - asked.time, .condition = asked.condition});
  }

 private:
  Denoiser& denoiser_;
};

class BackwardsTime : public Sound {
  using Sound::Sound;
  std::vector<Loss> loss(const LossTask& task) override {
    Backwards backwards(task.denoiser);
    return Sound::loss({backwards, task.target, task.condition, task.noise});
  }
  Made sample(const SampleTask& task) override {
    Backwards backwards(task.denoiser);
    return Sound::sample({.denoiser = backwards,
                          .layout = task.layout,
                          .condition = task.condition,
                          .noise = task.noise,
                          .rows = task.rows,
                          .contexts = task.contexts,
                          .guidance = task.guidance,
                          .watch = task.watch});
  }
};

/// The same task with another guidance and watch.
SampleTask changed(const SampleTask& task, Guidance* guidance, Watch watch) {
  return {.denoiser = task.denoiser,
          .layout = task.layout,
          .condition = task.condition,
          .noise = task.noise,
          .rows = task.rows,
          .contexts = task.contexts,
          .guidance = guidance,
          .watch = std::move(watch)};
}

/// Misreads the guidance.
template <Tensor (*misread)(Guidance& guidance, const Combination& given)>
class Misreads : public Sound {
  using Sound::Sound;
  struct Read : Guidance {
    explicit Read(Guidance& from) : guidance(from) {}
    std::vector<Context> contexts() const override { return guidance.contexts(); }
    Tensor combine(const Combination& given) override { return misread(guidance, given); }
    Guidance& guidance;
  };
  Made sample(const SampleTask& task) override {
    if (!task.guidance) return Sound::sample(task);
    Read read(*task.guidance);
    return Sound::sample(changed(task, &read, task.watch));
  }
};

Tensor ignored(Guidance&, const Combination& given) { return given.predictions[0]; }
Tensor reversed(Guidance& guidance, const Combination& given) {
  return guidance.combine({given.predictions.flip(0), given.time});
}
Tensor twice(Guidance& guidance, const Combination& given) {
  Tensor predictions = given.predictions.clone();
  predictions[0] = guidance.combine(given);
  return guidance.combine({predictions, given.time});
}

/// Misleads the watch.
template <bool (*tell)(const Watch& watch, const Step& step)>
class Misleads : public Sound {
  using Sound::Sound;
  Made sample(const SampleTask& task) override {
    return Sound::sample(changed(task, task.guidance, [&](const Step& step) { return tell(task.watch, step); }));
  }
};

bool silent(const Watch&, const Step&) { return true; }
bool deaf(const Watch& watch, const Step& step) {
  if (watch) watch(step);
  return true;
}
bool one_too_many(const Watch& watch, const Step& step) {
  return !watch || watch({.done = step.done, .total = step.total + 1});
}
bool other_error(const Watch& watch, const Step& step) {
  if (!watch || watch(step)) return true;
  throw Error("stopped");
}

/// States its times from data to noise.
class TimesBackwards : public Sound {
  using Sound::Sound;
  std::vector<double> times() const override {
    std::vector<double> times = layers::flow_times(options_);
    std::reverse(times.begin(), times.end());
    return times;
  }
};

/// Follows what another sampler has trained.
class Solver : public Sampler {
 public:
  Solver(const Parameters& parameters, const BuildContext& context) : sound_(parameters, context) {}
  double order() const override { return 2; }
  Made sample(const SampleTask& task) override { return sound_.sample(task); }

 private:
  Sound sound_;
};

class OverstatingSolver : public Solver {
  using Solver::Solver;
  double order() const override { return 3; }
};

constexpr ParameterSpec parameters[] = {integer("steps", 30, 1, 10000, "steps of the solver")};

void check(const Parameters&, Wiring& wiring) {
  layers::check_continuous(wiring);
  layers::check_objective("velocity/linear", "velocity/linear", wiring);
}

void check_solver(const Parameters&, Wiring& wiring) {
  layers::check_continuous(wiring);
  if (wiring.objective != "velocity/linear") wiring.reject("", "it solves velocity/linear; choose a sampler of that");
}

constexpr const char* provides[] = {"sample"};
constexpr const char* needs[] = {"predict"};
constexpr const char* losses[] = {"flow"};

template <class T>
constexpr ComponentDescriptor sampler(const char* name, const char* summary,
                                      decltype(ComponentDescriptor::check) checks = check) {
  return {.kind = Kind::sampler,
          .name = name,
          .summary = summary,
          .provides = provides,
          .needs = needs,
          .parameters = parameters,
          .losses = losses,
          .check = checks,
          .create = create<T>};
}

constexpr ComponentDescriptor components[] = {
    sampler<Sound>("sound", "Nothing is wrong with it."),
    sampler<BetweenOrders>("sound_between_orders", "Nothing is wrong with it: it is of order 1.5."),
    sampler<OverstatesOrder>("overstates_order", "Its solver is of order 1, but states 2."),
    sampler<WrongSign>("wrong_sign", "Its loss teaches the way from data to noise."),
    sampler<DetachesPrediction>("detaches_prediction", "No gradient comes out of its loss."),
    sampler<WrongScale>("wrong_scale", "Its loss teaches nine tenths of the velocity."),
    sampler<IgnoresGenerator>("ignores_generator", "Begins with the same noise each time."),
    sampler<OneNoiseForAll>("one_noise_for_all", "Begins with the first row's noise in every row."),
    sampler<AltersConditions>("alters_conditions", "Normalises the conditions' tokens in place."),
    sampler<UnlistedLoss>("unlisted_loss", "Returns a loss that its descriptor does not name."),
    sampler<Misreads<ignored>>("ignores_guidance", "Follows the first context alone."),
    sampler<Misreads<reversed>>("reverses_contexts", "Takes the contexts in reverse."),
    sampler<Misreads<twice>>("guides_twice", "Guides what is guided already."),
    sampler<Misleads<silent>>("silent", "Tells the watch nothing."),
    sampler<Misleads<deaf>>("deaf", "Goes on when the watch says to stop."),
    sampler<Misleads<one_too_many>>("one_too_many", "Tells of one step more than it takes."),
    sampler<Misleads<other_error>>("other_error", "Throws another error than Cancelled."),
    sampler<TimesBackwards>("times_backwards", "States its times in reverse."),
    sampler<Solver>("sound_solver", "Nothing is wrong with it; another sampler trains what it solves.", check_solver),
    sampler<OverstatingSolver>("overstating_solver", "Trains nothing, and states order 3 instead of 2.", check_solver),
    sampler<BackwardsTime>("backwards_time", "Tells the denoiser time 0 for noise and 1 for data."),
};

}  // namespace
}  // namespace blip3u::mutants

BLIP3U_PLUGIN("mutant_samplers", "0.1.0", "Apache-2.0", blip3u::mutants::components)
