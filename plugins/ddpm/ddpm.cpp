// sampler ddpm: denoising diffusion in discrete time, sampled deterministically with DDIM.
#include <algorithm>
#include <cmath>

#include "blip3u/plugin.h"
#include "blip3u/sampler.h"
#include "layers/loss.h"
#include "layers/sampling.h"

namespace blip3u {
namespace {

/// The share of the data's variance that is left after t = 0..T steps of noise.
std::vector<double> signal_shares(bool cosine, std::int64_t train_steps) {
  const auto total = static_cast<double>(train_steps);
  // Nichol & Dhariwal 2021 (arXiv:2102.09672), equation 17.
  const auto cosine_share = [&](double t) {
    constexpr double offset = 0.008;
    return std::pow(std::cos((t / total + offset) / (1 + offset) * M_PI / 2), 2);
  };
  std::vector<double> shares{1.0};
  for (std::int64_t t = 1; t <= train_steps; ++t) {
    const auto now = static_cast<double>(t);
    double beta = 0;
    if (cosine) {
      beta = std::min(0.999, 1 - cosine_share(now) / cosine_share(now - 1));
    } else {  // Ho et al. 2020 (arXiv:2006.11239): from 1e-4 to 0.02 in 1000 steps, scaled to other lengths
      const double place = train_steps == 1 ? 1.0 : (now - 1) / (total - 1);
      beta = std::min(0.999, (1e-4 + (0.02 - 1e-4) * place) * 1000 / total);
    }
    shares.push_back(shares.back() * (1 - beta));
  }
  return shares;
}

class Ddpm : public Sampler, public Objective {
 public:
  Ddpm(const Parameters& parameters, const BuildContext& context)
      : shares_(signal_shares(trained_for(parameters, context.wiring).ends_with("/cosine"),
                              parameters.integer("train_steps"))),
        predicts_velocity_(trained_for(parameters, context.wiring).starts_with("v/")),
        steps_(parameters.integer("steps")),
        clip_(parameters.number("clip")),
        device_(context.device),
        share_table_(at::tensor(shares_, at::kFloat).to(device_)) {}

  double order() const override { return 1; }  // DDIM is Euler's method in another variable

  std::vector<double> times() const override {
    std::vector<double> times;
    for (std::int64_t i = 0; i < steps_; ++i) times.push_back(time_of(step_before(i)));
    return times;
  }

  std::vector<Loss> loss(const LossTask& task) override {
    const Tensor& data = task.target.x;
    const Tensor step =
        (task.noise.uniform({}, device_) * static_cast<double>(train_steps())).floor().to(at::kLong) + 1;
    const Tensor share = share_table_.index_select(0, step).view({-1, 1, 1});
    const Tensor noise = task.noise.normal(data.sizes().slice(1), device_);
    const Tensor noised = share.sqrt() * data + (1 - share).sqrt() * noise;
    const Tensor prediction = task.denoiser.predict({.noised = {noised, {}},
                                                     .time = step.to(at::kFloat) / static_cast<double>(train_steps()),
                                                     .condition = task.condition,
                                                     .noise = &task.noise});
    if (!predicts_velocity_) return {layers::squared_error("noise", prediction, noise)};
    return {layers::squared_error("velocity", prediction, share.sqrt() * noise - (1 - share).sqrt() * data)};
  }

  Made sample(const SampleTask& task) override {
    Tensor x = task.noise.normal({task.layout.tokens, task.layout.width}, device_);
    for (std::int64_t i = 0; i < steps_; ++i) {
      const std::int64_t step = step_before(i), next = step_before(i + 1);
      const Tensor prediction = guided_prediction(task, {x, {}}, time_of(step), i);
      const Visual guess{data(x, prediction, share(step)), {}};
      x = ddim(x, guess.x, share(step), share(next));
      report(task.watch, {.done = i + 1, .total = steps_, .guess = &guess});
    }
    return {.visual = {x, {}}};
  }

  /// The objective that its own parameters make, or that of the sampler whose model it solves.
  static std::string trained_for(const Parameters& parameters, const Wiring& wiring) {
    if (!wiring.objective.empty()) return wiring.objective;
    return std::string(parameters.text("prediction") == "v" ? "v/" : "noise/") +
           (parameters.text("schedule") == "cosine" ? "cosine" : "linear_beta");
  }

 private:
  std::int64_t train_steps() const { return static_cast<std::int64_t>(shares_.size()) - 1; }
  std::int64_t step_before(std::int64_t i) const { return train_steps() * (steps_ - i) / steps_; }
  double time_of(std::int64_t step) const { return static_cast<double>(step) / static_cast<double>(train_steps()); }
  double share(std::int64_t step) const { return shares_[static_cast<std::size_t>(step)]; }

  /// The v of Salimans & Ho 2022 (arXiv:2202.00512) is signal * noise - deviation * data.
  Tensor data(const Tensor& x, const Tensor& prediction, double share) const {
    const double signal = std::sqrt(share), deviation = std::sqrt(1 - share);
    const Tensor data =
        predicts_velocity_ ? signal * x - deviation * prediction : (x - deviation * prediction) / signal;
    return clip_ > 0 ? data.clamp(-clip_, clip_) : data;
  }

  /// One deterministic step of DDIM (Song et al. 2021, arXiv:2010.02502, equation 12 with sigma 0).
  static Tensor ddim(const Tensor& x, const Tensor& data, double share, double next_share) {
    const Tensor noise = (x - std::sqrt(share) * data) / std::sqrt(1 - share);
    return std::sqrt(next_share) * data + std::sqrt(1 - next_share) * noise;
  }

  std::vector<double> shares_;
  bool predicts_velocity_;
  std::int64_t steps_;
  double clip_;
  at::Device device_;
  Tensor share_table_;
};

void check(const Parameters& parameters, Wiring& wiring) {
  layers::check_continuous(wiring);
  layers::check_objective(Ddpm::trained_for(parameters, wiring),
                          "noise/cosine v/cosine noise/linear_beta v/linear_beta", wiring);
  if (parameters.integer("steps") > parameters.integer("train_steps")) {
    wiring.reject("steps", "sampling cannot take more steps than train_steps; lower steps or raise train_steps");
  }
}

constexpr const char* provides[] = {"sample"};
constexpr const char* needs[] = {"predict"};
constexpr const char* predictions[] = {"epsilon", "v"};
constexpr const char* schedules[] = {"cosine", "linear"};
constexpr ParameterSpec parameters[] = {
    text("prediction", "v", "what the denoiser learns: the noise (epsilon), or v (Salimans & Ho 2022)", predictions),
    text("schedule", "cosine", "how the noise grows over the training steps", schedules),
    integer("train_steps", 1000, 1, 100000, "steps of the training schedule"),
    inference(integer("steps", 30, 1, 100000, "DDIM steps of sampling")),
    inference(
        number("clip", 5.0, 0.0, 1000.0,
               "limit of the predicted features while sampling, which epsilon needs where the input is almost all "
               "noise; 0: none")),
};
constexpr const char* losses[] = {"noise", "velocity"};

constexpr ComponentDescriptor components[] = {
    {.kind = Kind::sampler,
     .name = "ddpm",
     .summary = "Denoising diffusion in discrete time (Ho et al. 2020), sampled with DDIM (Song et al. 2021).",
     .provides = provides,
     .needs = needs,
     .parameters = parameters,
     .losses = losses,
     .check = check,
     .create = create<Ddpm>}};

}  // namespace
}  // namespace blip3u

BLIP3U_PLUGIN("ddpm", "0.1.0", "Apache-2.0", blip3u::components)
