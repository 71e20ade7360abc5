// Samplers: what they share with all kinds, how they use their partners, and which checks they have of their own.
#include <cmath>

#include "differences.h"
#include "sampling.h"
#include "schedule.h"
#include "watch.h"

namespace blip3u::conformance {

namespace {

/// Sees what a sampler asks its denoiser.
class Spy : public Denoiser {
 public:
  Spy(Denoiser& denoiser, std::function<void(const Prediction&)> see) : denoiser_(denoiser), see_(std::move(see)) {}
  std::unique_ptr<Condition> prepare(const Given& given) override { return denoiser_.prepare(given); }
  Tensor predict(const Prediction& asked) override {
    see_(asked);
    return denoiser_.predict(asked);
  }

 private:
  Denoiser& denoiser_;
  std::function<void(const Prediction&)> see_;
};

/// Multiplies what another predicts.
class Scaled : public Denoiser {
 public:
  Scaled(Denoiser& denoiser, Tensor factor) : denoiser_(denoiser), factor_(std::move(factor)) {}
  std::unique_ptr<Condition> prepare(const Given& given) override { return denoiser_.prepare(given); }
  Tensor predict(const Prediction& asked) override { return factor_ * denoiser_.predict(asked); }

 private:
  Denoiser& denoiser_;
  Tensor factor_;
};

/// The gradient that reaches the denoiser: of a factor on its prediction, against finite differences.
void differentiable_loss(const Subject& subject) {
  constexpr std::int64_t many = 64;
  const auto given = subject.make<Sampler>();
  const at::Device device = subject.context().device;
  const Layout& layout = subject.wiring().features;
  const bool codes = layout.codebook > 0;
  const Visual target =
      as_visual(layout, codes ? image_tokens(layout, many, 5, device) : modes::draw(layout, many, 5, device));
  Tensor factor = at::ones({}, at::TensorOptions(device)).set_requires_grad(true);
  const auto inner = partner(layout);
  Scaled denoiser(*inner, factor);
  const auto loss_now = [&] {
    Generator generator = Generator::for_rows(subject.options().seed, 0, many);
    const Condition tokens = condition(at::zeros({many, 1, 1}, at::TensorOptions(device)));
    return total(objective(*given).loss({denoiser, target, tokens, generator}));
  };
  const Tensor loss = loss_now();
  if (!loss.defined()) skip("its loss is empty, so it trains nothing");
  if (!loss.requires_grad()) fail("its loss does not depend on the denoiser's prediction; do not detach it");
  loss.backward();
  const double analytic = factor.grad().item<double>();
  const at::NoGradGuard no_gradient;
  const auto numeric = other_derivative(
      analytic,
      [&](double change) {
        factor.fill_(1 + change);
        return loss_now().item<double>();
      },
      0.1);
  if (!numeric) return;
  fail(
      "its gradients promise a derivative of {:.5g} by a factor on the prediction, where the loss changes by {:.5g}; "
      "some path is detached, or a hand-written gradient is wrong",
      analytic, *numeric);
}

void finite_at_ends(const Subject& subject) {
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
  if (!sampled(*given, denoiser, layout, tokens, generator).visual.x.isfinite().all().item<bool>())
    fail("its result has NaN or infinity; look at its last step");
  auto* const own = dynamic_cast<Objective*>(given.get());
  if (own == nullptr) return;
  const Visual data{modes::draw(layout, 64, 5, device), {}};
  const Tensor loss = total(own->loss({denoiser, data, tokens, generator}));
  if (loss.defined() && !std::isfinite(loss.item<double>())) fail("its loss is not finite");
  try {
    if (Schedule(*own, layout, device).forward()) return;
  } catch (const Skipped&) {
    return;  // which way its time runs cannot be told
  }
  fail("it gives the denoiser more of the data at time 1 than at time 0; time 0 is data and 1 is noise");
}

/// The partners' predictions are linear in the condition, so that guiding them is the same as guiding the condition.
void guidance_read(const Subject& subject) {
  const at::NoGradGuard no_gradient;
  const auto given = subject.make<Sampler>();
  const Layout& layout = subject.wiring().features;
  const at::Device device = subject.context().device;
  const std::uint64_t seed = subject.options().seed;
  const auto denoiser = partner(layout);
  const Tensor whole = normal({1, 1}, rows, seed + 3, device), nothing = normal({1, 1}, rows, seed + 4, device);
  Guided guidance;
  Generator first = Generator::for_rows(seed, 0, rows), second = Generator::for_rows(seed, 0, rows);
  const Tensor guided =
      tokens_of(sampled(*given, *denoiser, layout, condition(at::cat({whole, nothing})), first, 2, &guidance).visual);
  const Tensor expected =
      tokens_of(sampled(*given, *denoiser, layout, condition(3 * whole - 2 * nothing), second).visual);
  const bool codes = layout.codebook > 0;  // of which rounding may turn a few
  if (codes ? guided.eq(expected).to(at::kFloat).mean().item<double>() >= 0.95 : difference(guided, expected) <= 1e-3) {
    return;
  }
  fail(
      "under two contexts it does not follow what the guidance makes of their predictions; ask the denoiser by "
      "guided_prediction, or guided_scores, and use what that returns");
}

/// It asks for the times that it says, in that order.
std::string times_told(const Subject& subject) {
  const at::NoGradGuard no_gradient;
  const auto given = subject.make<Sampler>();
  const std::vector<double> times = given->times();
  if (times.empty()) return "it states no times";
  const at::Device device = subject.context().device;
  const auto inner = partner(subject.wiring().features);
  std::size_t asked = 0;
  Spy denoiser(*inner, [&](const Prediction& prediction) {
    const double time = prediction.time[0].item<double>();
    const auto far = [&](double stated) { return std::abs(stated - time) > 1e-5; };
    if (asked >= times.size() || far(times[asked])) {
      fail("`times()` says {} as number {} of {}, but it asks the denoiser for time {}",
           asked < times.size() ? fmt::format("{:.4g}", times[asked]) : "nothing", asked, times.size(), time);
    }
    if (prediction.step >= std::ssize(times) ||
        (prediction.step >= 0 && far(times[static_cast<std::size_t>(prediction.step)]))) {
      fail("it asks for time {} as step {}, which `times()` does not have there", time, prediction.step);
    }
    ++asked;
  });
  Generator noise = Generator::for_rows(subject.options().seed, 0, rows);
  sampled(*given, denoiser, subject.wiring().features, condition(at::zeros({rows, 1, 1}, at::TensorOptions(device))),
          noise);
  if (asked < times.size()) fail("`times()` has {} times, of which it asks for {}", times.size(), asked);
  return fmt::format("{} times", times.size());
}

std::string watch(const Subject& subject) {
  const auto given = subject.make<Sampler>();
  const auto denoiser = partner(subject.wiring().features);
  const Condition tokens = condition(at::zeros({rows, 1, 1}, at::TensorOptions(subject.context().device)));
  return watched(
      [&](const Watch& watch) {
        Generator noise = Generator::for_rows(subject.options().seed, 0, rows);
        return tokens_of(
            sampled(*given, *denoiser, subject.wiring().features, tokens, noise, 1, nullptr, watch).visual);
      },
      /*stepped=*/true);
}

}  // namespace

Behaviour sampler_behaviour(const Subject& subject) {
  const Layout layout = subject.wiring().features;
  const bool codes = layout.codebook > 0;
  Behaviour behaviour;
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
  if (codes) sample.outputs = {{"codes", {layout.tokens, layout.depth}, at::kLong}};
  sample.draws = random ? Draws::surely : Draws::perhaps;
  sample.tolerance = 1e-4;
  sample.run = [layout](Component& component, const Tensors& inputs, Generator& generator) {
    const auto denoiser = partner(layout);
    Guided guidance;
    const Tensor both = at::cat({inputs[0], inputs[1]});
    const Tensor given = both.clone();
    const Made made = sampled(sampler(component), *denoiser, layout, condition(given), generator, 2, &guidance);
    if (!given.equal(both)) inputs[0].copy_(given.slice(0, 0, inputs[0].size(0)));  // let `inputs_unaltered` see it
    return Tensors{layout.codebook > 0 ? made.visual.codes : made.visual.x};
  };
  behaviour.calls.push_back(sample);
  const auto declares = [layout, codes, sample](Component& component) {
    const at::NoGradGuard no_gradient;
    Generator generator = Generator::for_rows(1, 0, rows);
    const auto denoiser = partner(layout);
    const Made made = sampled(sampler(component), *denoiser, layout, condition(sample.inputs[0].clone()), generator);
    if (codes && !made.visual.codes.ge(0).logical_and(made.visual.codes.lt(layout.codebook)).all().item<bool>()) {
      fail("it leaves codes that are masked or lie outside the codebook of {} entries", layout.codebook);
    }
    const Tensor& log = made.log_probabilities;
    if (log.defined() && (log.dim() != 2 || log.size(0) != rows || log.scalar_type() != at::kFloat ||
                          !log.isfinite().all().item<bool>())) {
      fail("its log-probabilities are not finite float32 [rows,T]");
    }
  };
  behaviour.declares = declares;
  if (!trains) return behaviour;
  const auto losses = [layout](Component& component, const Tensors& inputs, Generator& generator) {
    const auto denoiser = partner(layout);
    const Visual target = as_visual(layout, inputs[0]);
    const Condition tokens(nullptr, inputs[1]);
    return objective(sampler(component)).loss({*denoiser, target, tokens, generator});
  };
  Call& loss = behaviour.loss;
  loss = {.name = "loss", .names = {"target", "condition"}};
  loss.inputs = {image_tokens(layout, rows, seed + 2, device), full};
  loss.outputs = {{"the loss", {}}};
  loss.by_row = false;
  loss.draws = codes ? Draws::perhaps : sample.draws;
  loss.run = [losses](Component& component, const Tensors& inputs, Generator& generator) {
    return Tensors{total(losses(component, inputs, generator))};
  };
  behaviour.declares = [&subject, declares, losses, inputs = loss.inputs](Component& component) {
    declares(component);
    Generator generator = Generator::for_rows(1, 0, rows);
    check_losses(subject, losses(component, inputs, generator));
  };
  return behaviour;
}

void check_sampler(Recorder& recorder, const Subject& subject) {
  if (subject.wiring().features.codebook == 0) {
    recorder.run("order_of_convergence", [&] { return order_of_convergence(subject); });
    recorder.run("loss_minimum", [&] { return loss_minimum(subject); });
    recorder.run("finite_at_ends", [&] { finite_at_ends(subject); });
    recorder.run("times", [&] { return times_told(subject); });
  }
  recorder.run("gradients", [&] { differentiable_loss(subject); });
  recorder.run("guidance", [&] { guidance_read(subject); });
  recorder.run("watch", [&] { return watch(subject); });
}

}  // namespace blip3u::conformance
