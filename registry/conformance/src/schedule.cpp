#include "schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "recorder.h"

namespace blip3u::conformance {

namespace {

Tensor column(const Tensor& values) { return values.view({-1, 1, 1}); }

/// The first inputs that `loss` gives its denoiser for these data.
struct Seen {
  Tensor x, time;
};
Seen first_input(Objective& sampler, const Tensor& data) {
  Seen seen;
  FunctionDenoiser denoiser([&](const Tensor& x, const Tensor& time, const Condition&) {
    if (!seen.x.defined()) seen = {x.to(at::kDouble), time.to(at::kDouble)};
    return at::zeros_like(x);
  });
  Generator generator = Generator::for_rows(3, 0, data.size(0));
  const Visual target{data, {}};
  const Condition nothing;
  sampler.loss({denoiser, target, nothing, generator});
  if (!seen.x.defined()) skip("its loss asks the denoiser for nothing");
  if (seen.x.sizes() != data.sizes()) skip("its loss gives the denoiser another shape than that of the data");
  return seen;
}

/// The expected data or noise given x. The tanh says how much more likely the upper mode is.
struct Expected {
  Tensor data, noise;
};
Expected expected(const Tensor& x, const Mixture& mixture) {
  constexpr double variance = modes::deviation * modes::deviation;
  const Tensor spread = (mixture.signal.square() * variance + mixture.noise.square()).clamp_min(1e-30);
  const Tensor away = x.to(at::kDouble) - mixture.signal * modes::mean;
  const Tensor mode = modes::centre * (mixture.signal * modes::centre * away / spread).tanh();
  const Tensor rest = (away - mixture.signal * mode) / spread;
  return {.data = modes::mean + mode + mixture.signal * variance * rest, .noise = mixture.noise * rest};
}

constexpr Parametrisation parametrisations[] = {
    {"the velocity (noise - data)",
     [](const Tensor& data, const Tensor& noise, const Mixture&) { return noise - data; }},
    {"the noise", [](const Tensor&, const Tensor& noise, const Mixture&) { return noise; }},
    {"the data", [](const Tensor& data, const Tensor&, const Mixture&) { return data; }},
    {"v (signal * noise - deviation * data)",
     [](const Tensor& data, const Tensor& noise, const Mixture& mixture) {
       return mixture.signal * noise - mixture.noise * data;
     }},
    {"the velocity (data - noise)",
     [](const Tensor& data, const Tensor& noise, const Mixture&) { return data - noise; }},
};

Tensor predicted(const Schedule& schedule, const Parametrisation& parametrisation, const Tensor& x,
                 const Tensor& time) {
  const Mixture mixture = schedule.at(time);
  const Expected known = expected(x, mixture);
  return parametrisation.from(known.data, known.noise, mixture).to(at::kFloat);
}

Tensor normal_share(const Tensor& x) { return 0.5 * (1 + (x * std::sqrt(0.5)).erf()); }

}  // namespace

Tensor modes::draw(const Layout& layout, std::int64_t rows, std::uint64_t seed, at::Device device) {
  const Tensor sides = normal({layout.tokens, layout.width}, rows, seed, device).sign();
  return mean + centre * sides + deviation * normal({layout.tokens, layout.width}, rows, seed + 1, device);
}

Schedule::Schedule(Objective& sampler, const Layout& layout, at::Device device) {
  constexpr std::int64_t draws = 4096;
  const at::NoGradGuard no_gradient;
  const Tensor nothing = at::zeros({draws, layout.tokens, layout.width}, at::TensorOptions(device).dtype(at::kFloat));
  const Seen noise = first_input(sampler, nothing), both = first_input(sampler, nothing + 1);
  if (!noise.time.equal(both.time)) skip("its loss draws other times for other data");
  const auto [times, order] = noise.time.sort();
  times_ = times;
  signals_ = (both.x - noise.x).mean(at::IntArrayRef({1, 2})).index_select(0, order);
  const Tensor power = noise.x.square().mean(at::IntArrayRef({1, 2})).index_select(0, order);  // of the noise
  // The power of one row is known to a tenth or so, but errors of many rows cancel.
  const auto off = [](const Tensor& a, const Tensor& b) { return std::abs((a - b).mean().item<double>()); };
  if (signals_.abs().max().item<double>() < 1e-6 && power.max().item<double>() < 1e-6) return;
  const double complement = off(power, (1 - signals_).square());
  const double preserving = off(power, (1 - signals_.square()).clamp_min(0));
  if (std::min(complement, preserving) > 0.03) {
    skip("its schedule is unknown to the kit: neither noise = 1 - signal nor noise = sqrt(1 - signal^2)");
  }
  rule_ = preserving < complement ? Rule::preserving : Rule::complement;
  if (rule_ == Rule::complement && (signals_ - (1 - times_)).abs().max().item<double>() < 1e-3) rule_ = Rule::straight;
  if (signals_[0].item<double>() > signals_[-1].item<double>() && times_[0].item<double>() > 0) {
    times_ = at::cat({at::zeros({1}, times_.options()), times_});  // where the data are whole
    signals_ = at::cat({at::ones({1}, signals_.options()), signals_});
  }
}

Mixture Schedule::at(const Tensor& time) const {
  const Tensor t = time.to(at::kDouble).contiguous();
  if (rule_ == Rule::blind) return {column(at::zeros_like(t)), column(at::zeros_like(t))};
  if (rule_ == Rule::straight) return {column(1 - t), column(t)};
  const Tensor upper = at::searchsorted(times_, t).clamp(1, times_.size(0) - 1), lower = upper - 1;
  const Tensor from = times_.index_select(0, lower), to = times_.index_select(0, upper);
  const Tensor place = ((t - from) / (to - from).clamp_min(1e-12)).clamp(0, 1);
  const Tensor signal = at::lerp(signals_.index_select(0, lower), signals_.index_select(0, upper), place);
  const Tensor noise = rule_ == Rule::complement ? 1 - signal : (1 - signal.square()).clamp_min(0).sqrt();
  return {column(signal), column(noise)};
}

bool Schedule::forward() const {
  return rule_ == Rule::blind || signals_[0].item<double>() > signals_[-1].item<double>();
}

Tensor Schedule::share_below(const Tensor& x, const Mixture& mixture) {
  const Tensor spread =
      (mixture.signal.square() * (modes::deviation * modes::deviation) + mixture.noise.square()).sqrt();
  const Tensor away = x.to(at::kDouble) - mixture.signal * modes::mean, centre = mixture.signal * modes::centre;
  return 0.5 * (normal_share((away - centre) / spread) + normal_share((away + centre) / spread));
}

Oracle::Oracle(Objective& sampler, const Layout& layout, at::Device device) : schedule_(sampler, layout, device) {
  double least = std::numeric_limits<double>::infinity();
  for (const Parametrisation& each : parametrisations) {
    const double loss = Oracle::loss(
        sampler, layout, device,
        [&](const Tensor& x, const Tensor& time, const Condition&) { return predicted(schedule_, each, x, time); });
    if (!(loss < least)) continue;
    least = loss;
    chosen_ = &each;
  }
  if (!chosen_) fail("its loss is not finite for the best prediction of any parametrisation");
}

Tensor Oracle::predict(const Tensor& x, const Tensor& time) const { return predicted(schedule_, *chosen_, x, time); }

double Oracle::loss(Objective& sampler, const Layout& layout, at::Device device,
                    const FunctionDenoiser::Predict& predict) {
  constexpr std::int64_t rows = 512;
  const at::NoGradGuard no_gradient;
  FunctionDenoiser denoiser(predict);
  Generator generator = Generator::for_rows(11, 0, rows);
  const Visual target{modes::draw(layout, rows, 5, device), {}};
  const Condition nothing;
  const Tensor value = total(sampler.loss({denoiser, target, nothing, generator}));
  if (!value.defined()) skip("its loss is empty");
  return value.item<double>();
}

}  // namespace blip3u::conformance
