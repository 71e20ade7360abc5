// sampler ddpm: denoising diffusion in discrete time, sampled deterministically with DDIM.
#include <algorithm>
#include <cmath>

#include "blip3u/plugin.h"
#include "blip3u/sampler.h"
#include "layers/guidance.h"
#include "layers/join.h"
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

class Ddpm : public Sampler {
 public:
  Ddpm(const Parameters& parameters, const BuildContext& context)
      : shares_(signal_shares(parameters.text("schedule") == "cosine", parameters.integer("train_steps"))),
        predicts_velocity_(parameters.text("prediction") == "v"),
        steps_(parameters.integer("steps")),
        clip_(parameters.number("clip")),
        guidance_(parameters.number("guidance")),
        condition_dropout_(parameters.number("condition_dropout")),
        device_(context.device),
        share_table_(at::tensor(shares_, at::kFloat).to(device_)) {}

  double condition_dropout() const override { return condition_dropout_; }
  double order() const override { return 1; }  // DDIM is Euler's method in another variable

  std::vector<Loss> loss(Denoiser& denoiser, const Visual& target, const Condition& condition,
                         Generator& generator) override {
    const Tensor step = (generator.uniform({}, device_) * static_cast<double>(train_steps())).floor().to(at::kLong) + 1;
    const Tensor share = share_table_.index_select(0, step).view({-1, 1, 1});
    const Tensor noise = generator.normal(target.x.sizes().slice(1), device_);
    const Tensor noised = share.sqrt() * target.x + (1 - share).sqrt() * noise;
    const Tensor time = step.to(at::kFloat) / static_cast<double>(train_steps());
    const Tensor prediction = denoiser.predict({noised, {}}, time, condition);
    if (!predicts_velocity_) return {layers::squared_error("noise", prediction, noise)};
    return {layers::squared_error("velocity", prediction, share.sqrt() * noise - (1 - share).sqrt() * target.x)};
  }

  Visual sample(Denoiser& denoiser, const Layout& layout, const std::vector<Condition>& conditions,
                Generator& generator, const Progress& progress) override {
    Tensor x = generator.normal({layout.tokens, layout.width}, device_);
    for (std::int64_t i = 0; i < steps_; ++i) {
      const std::int64_t step = train_steps() * (steps_ - i) / steps_;
      const std::int64_t next = train_steps() * (steps_ - i - 1) / steps_;
      const Tensor time =
          at::full({x.size(0)}, static_cast<double>(step) / static_cast<double>(train_steps()), x.options());
      x = ddim(x, layers::guided_prediction(denoiser, x, time, conditions, guidance_), share(step), share(next));
      if (progress) progress(i + 1, steps_);
    }
    return {x, {}};
  }

 private:
  std::int64_t train_steps() const { return static_cast<std::int64_t>(shares_.size()) - 1; }
  double share(std::int64_t step) const { return shares_[static_cast<std::size_t>(step)]; }

  /// One deterministic step of DDIM (Song et al. 2021, arXiv:2010.02502, equation 12 with sigma 0).
  Tensor ddim(const Tensor& x, const Tensor& prediction, double share, double next_share) const {
    const double signal = std::sqrt(share);
    const double deviation = std::sqrt(1 - share);
    // The v of Salimans & Ho 2022 (arXiv:2202.00512) is signal * noise - deviation * data.
    Tensor data = predicts_velocity_ ? signal * x - deviation * prediction : (x - deviation * prediction) / signal;
    if (clip_ > 0) data = data.clamp(-clip_, clip_);
    const Tensor noise = (x - signal * data) / deviation;
    return std::sqrt(next_share) * data + std::sqrt(1 - next_share) * noise;
  }

  std::vector<double> shares_;
  bool predicts_velocity_;
  std::int64_t steps_;
  double clip_, guidance_, condition_dropout_;
  at::Device device_;
  Tensor share_table_;
};

void check(const Parameters& parameters, Wiring& wiring) {
  layers::check_continuous(wiring);
  layers::check_guidance(parameters, wiring);
  if (parameters.integer("steps") > parameters.integer("train_steps")) {
    wiring.reject("steps", "sampling cannot take more steps than train_steps; lower steps or raise train_steps");
  }
}

constexpr const char* provides[] = {"sample"};
constexpr const char* needs[] = {"predict"};
constexpr const char* predictions[] = {"epsilon", "v"};
constexpr const char* schedules[] = {"cosine", "linear"};
constexpr ParameterSpec own_parameters[] = {
    text("prediction", "v", "what the denoiser learns: the noise (epsilon), or v (Salimans & Ho 2022)", predictions),
    text("schedule", "cosine", "how the noise grows over the training steps", schedules),
    integer("train_steps", 1000, 1, 100000, "steps of the training schedule"),
    integer("steps", 30, 1, 100000, "DDIM steps of sampling"),
    number("clip", 5.0, 0.0, 1000.0,
           "limit of the predicted features while sampling, which epsilon needs where the "
           "input is almost all noise; 0: none"),
};
constexpr auto parameters = layers::join(own_parameters, layers::guidance_parameters);
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
