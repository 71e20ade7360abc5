// The samplers against what is known in closed form, driven by fake denoisers.
#include <cmath>

#include "plugins_language/support.h"

namespace blip3u::testing {
namespace {

const Layout layout = make_layout(4, 8);

std::unique_ptr<Sampler> sampler(const std::string& name, const Overrides& overrides = {}) {
  return make<Sampler>(Kind::sampler, name, overrides);
}

Tensor column(const Tensor& time) { return time.view({-1, 1, 1}); }

Condition scalar_condition(double value, std::int64_t rows) {
  return Condition(nullptr, at::full({rows, 1, 1}, value));
}

namespace gaussian {  // data is N(mean, deviation^2)

constexpr double mean = 1.0, deviation = 2.0;

/// E[noise - data | x]. On the way, x is N((1-t) mean, (1-t)^2 deviation^2 + t^2).
Tensor velocity(const Tensor& x, const Tensor& time, const Condition&) {
  const Tensor t = column(time).to(at::kDouble), rest = 1 - t;
  const double variance = deviation * deviation;
  return (-mean + (t - rest * variance) / (rest.square() * variance + t.square()) * (x - rest * mean)).to(at::kFloat);
}

/// How far `made` is from where the flow carries noise z: mean + deviation z.
double error(const Tensor& made, const Tensor& noise) {
  return (made - (mean + deviation * noise)).square().mean().sqrt().item<double>();
}

}  // namespace gaussian

namespace mixture {  // data is N(+-centre, deviation^2), half of it each

constexpr double centre = 1.5, deviation = 0.5;

Tensor velocity(const Tensor& x, const Tensor& time, const Condition&) {
  const Tensor t = column(time).to(at::kDouble), rest = 1 - t;
  const Tensor variance = rest.square() * (deviation * deviation) + t.square();
  const Tensor slope = (t - rest * (deviation * deviation)) / variance;
  return (slope * x - centre * (1 + slope * rest) * (x * rest * centre / variance).tanh()).to(at::kFloat);
}

Tensor normal_share(const Tensor& x) { return 0.5 * (1 + (x * std::sqrt(0.5)).erf()); }

/// In one dimension a flow keeps every quantile, so the share of data below `made` is that of noise below z.
double error(const Tensor& made, const Tensor& noise) {
  const Tensor x = made.to(at::kDouble);
  const Tensor share = 0.5 * (normal_share((x - centre) / deviation) + normal_share((x + centre) / deviation));
  return (share - normal_share(noise.to(at::kDouble))).square().mean().sqrt().item<double>();
}

}  // namespace mixture

/// The order with which the error falls from 16 steps to 32.
double order_of_convergence(const std::string& solver, double shift, const FakeDenoiser::Predict& velocity,
                            double (*error)(const Tensor&, const Tensor&)) {
  std::vector<double> errors;
  for (const std::int64_t steps : {8, 16, 32, 64}) {
    FakeDenoiser denoiser(velocity);
    Generator generator = Generator::for_rows(3, 0, 50);
    const Visual made = sample_with(*sampler("flow_matching", {{"solver", solver}, {"steps", steps}, {"shift", shift}}),
                                    denoiser, layout, scalar_condition(0, 50), generator);
    errors.push_back(error(made.x, normal({4, 8}, 50, 3)));
  }
  for (std::size_t i = 0; i + 1 < errors.size(); ++i) EXPECT_LT(errors[i + 1], errors[i]) << solver;
  return std::log2(errors[1] / errors[2]);
}

TEST(FlowMatching, SolversConvergeWithTheirOrderOnAGaussian) {
  // Midpoint does better than its order 2 here: the second-order term of its error vanishes wherever the variance is a
  // quadratic polynomial of time.
  for (const auto& [solver, order] : {std::pair{"euler", 1.0}, std::pair{"midpoint", 3.0}, std::pair{"heun", 2.0}}) {
    for (const double shift : {1.0, 2.0}) {
      EXPECT_NEAR(order_of_convergence(solver, shift, gaussian::velocity, gaussian::error), order, 0.15)
          << solver << " with shift " << shift;
    }
  }
}

TEST(FlowMatching, SolversConvergeWithTheirOrderOnAMixture) {
  for (const auto& [solver, order] : {std::pair{"euler", 1.0}, std::pair{"midpoint", 2.0}, std::pair{"heun", 2.0}}) {
    EXPECT_NEAR(order_of_convergence(solver, 1.0, mixture::velocity, mixture::error), order, 0.3) << solver;
  }
}

Loss flow_loss(const Overrides& overrides, const FakeDenoiser::Predict& predict, const Tensor& data) {
  FakeDenoiser denoiser(predict);
  Generator generator = Generator::for_rows(11, 0, data.size(0));
  const auto losses = losses_of(*sampler("flow_matching", overrides), denoiser, {data, {}}, Condition(), generator);
  EXPECT_EQ(losses.size(), 1U);
  EXPECT_EQ(losses[0].name, "flow");
  return losses[0];
}

double value(const Loss& loss) { return (loss.sum / loss.count).item<double>(); }

TEST(FlowMatching, LossIsZeroForTheVelocityOfOneKnownImage) {
  const Tensor data = normal({4, 8}, 64, 5);
  const Loss loss = flow_loss(
      {}, [&](const Tensor& x, const Tensor& t, const Condition&) { return (x - data) / column(t); }, data);
  EXPECT_LT(value(loss), 1e-6);
  EXPECT_EQ(loss.count.item<double>(), 64 * 4 * 8);
}

TEST(FlowMatching, TheVelocityFollowsFromPredictedData) {
  const Overrides data_prediction = {{"prediction", std::string("data")}, {"time_mean", 2.0}};
  const Tensor data = normal({4, 8}, 64, 5);
  const auto knows = [&](const Tensor&, const Tensor&, const Condition&) { return data; };
  EXPECT_LT(value(flow_loss(data_prediction, knows, data)), 1e-12);
  for (const std::string solver : {"euler", "midpoint", "heun"}) {
    Overrides overrides = data_prediction;
    overrides["solver"] = solver;
    // Its last question is never at time 0, where data say nothing of the velocity.
    FakeDenoiser denoiser([&](const Tensor&, const Tensor& time, const Condition&) {
      EXPECT_GT(time.min().item<double>(), 0.0);
      return data;
    });
    Generator generator = Generator::for_rows(3, 0, 64);
    const Visual made =
        sample_with(*sampler("flow_matching", overrides), denoiser, layout, scalar_condition(0, 64), generator);
    // Euler and Heun end on the data themselves, midpoint half a step's slope away.
    EXPECT_LT(largest_difference(made.x, data), solver == "midpoint" ? 0.2 : 1e-5) << solver;
  }
}

TEST(FlowMatching, SaysAllTimesForWhichItWillAsk) {
  for (const std::string prediction : {"velocity", "data"}) {
    for (const std::string solver : {"euler", "midpoint", "heun"}) {
      std::vector<double> asked;
      FakeDenoiser denoiser([&](const Tensor& x, const Tensor& time, const Condition&) {
        asked.push_back(time[0].item<double>());
        return 0.5 * x;
      });
      Generator generator = Generator::for_rows(3, 0, 1);
      const auto flow =
          sampler("flow_matching",
                  {{"prediction", prediction}, {"solver", solver}, {"steps", std::int64_t{3}}, {"shift", 2.0}});
      sample_with(*flow, denoiser, layout, scalar_condition(0, 1), generator);
      const auto said = flow->times();
      ASSERT_EQ(asked.size(), said.size()) << solver;
      for (std::size_t i = 0; i < said.size(); ++i) EXPECT_NEAR(asked[i], said[i], 1e-6) << solver << " " << i;
    }
  }
}

TEST(FlowMatching, LossIsSmallestForTheTrueVelocity) {
  const Overrides uniform = {{"time_distribution", std::string("uniform")}};
  using gaussian::deviation;
  const Tensor data = gaussian::mean + deviation * normal({4, 8}, 2000, 5);
  const double least = value(flow_loss(uniform, gaussian::velocity, data));
  // What remains is the variance of the velocity at a point, averaged over time.
  double expected = 0;
  for (int i = 0; i < 1000; ++i) {
    const double t = (i + 0.5) / 1000, v = deviation * deviation, share = t - (1 - t) * v;
    expected += (1 + v - share * share / ((1 - t) * (1 - t) * v + t * t)) / 1000;
  }
  EXPECT_NEAR(least, expected, 0.03 * expected);
  for (const auto& [factor, offset] :
       {std::pair{1.1, 0.0}, std::pair{0.9, 0.0}, std::pair{1.0, 0.1}, std::pair{1.0, -0.1}}) {
    const auto wrong = [factor = factor, offset = offset](const Tensor& x, const Tensor& t, const Condition& c) {
      return factor * gaussian::velocity(x, t, c) + offset;
    };
    EXPECT_GT(value(flow_loss(uniform, wrong, data)), least + 1e-3) << factor << " " << offset;
  }
}

TEST(FlowMatching, DrawsTimesAsAsked) {
  const auto times = [](const Overrides& overrides) {
    Tensor seen;
    flow_loss(
        overrides,
        [&](const Tensor& x, const Tensor& t, const Condition&) {
          seen = t;
          return x;
        },
        at::zeros({4000, 1, 1}));
    return seen.to(at::kDouble);
  };
  const Tensor uniform = times({{"time_distribution", std::string("uniform")}});
  EXPECT_NEAR(uniform.mean().item<double>(), 0.5, 0.02);
  EXPECT_NEAR(uniform.var().item<double>(), 1.0 / 12, 0.005);
  const Tensor logits = times({{"time_mean", 0.5}, {"time_deviation", 1.5}, {"time_shift", 3.0}}).logit();
  // The shift s moves the logit by log(s).
  EXPECT_NEAR(logits.mean().item<double>(), 0.5 + std::log(3.0), 0.1);
  EXPECT_NEAR(logits.std().item<double>(), 1.5, 0.06);
  // By the size of what is made, 16 tokens of 6 numbers.
  const auto by_size =
      make<Sampler>(Kind::sampler, "flow_matching", {{"shift", 0.0}, {"steps", std::int64_t{2}}}, small_context());
  EXPECT_NEAR(by_size->times()[1], std::sqrt(96 / 4096.0) / (1 + std::sqrt(96 / 4096.0)), 1e-12);
}

TEST(Guidance, LeadsAwayFromWhatNothingGivesInOnePass) {
  const auto constant = [](const Tensor& x, const Tensor&, const Condition& c) { return c.tokens.expand_as(x); };
  const Tensor noise = normal({4, 8}, 2, 3);
  const auto moved = [&](double scale, const Condition& condition) {
    FakeDenoiser denoiser(constant);
    Generator generator = Generator::for_rows(3, 0, 2);
    const auto cfg = make<Guidance>(Kind::guidance, "cfg", {{"scale", scale}});
    const Visual made = sample_with(*sampler("flow_matching", {{"steps", std::int64_t{4}}}), denoiser, layout,
                                    condition, generator, cfg.get());
    EXPECT_EQ(denoiser.calls, 4);
    return (noise - made.x).mean().item<double>();
  };
  const Condition both(nullptr, at::tensor({0.7, 0.7, 0.2, 0.2}, at::kFloat).view({4, 1, 1}));
  EXPECT_NEAR(moved(3.0, both), 0.2 + 3.0 * (0.7 - 0.2), 1e-5);
  EXPECT_NEAR(moved(0.0, both), 0.2, 1e-5);
  EXPECT_NEAR(moved(1.0, scalar_condition(0.7, 2)), 0.7, 1e-5);  // asks for one context
}

TEST(Guidance, CfgActsInItsIntervalAndRescales) {
  const Tensor predictions = normal({3, 5}, 4, 9).view({2, 2, 3, 5});
  const Tensor time = at::tensor({0.2, 0.8}, at::kFloat), whole = predictions[0], nothing = predictions[1];
  const Tensor guided = nothing + 4.0 * (whole - nothing);
  const auto combine = [&](const Overrides& overrides) {
    return make<Guidance>(Kind::guidance, "cfg", overrides)->combine({predictions, time});
  };
  EXPECT_LT(largest_difference(combine({{"scale", 4.0}}), guided), 1e-5);
  const Tensor late = combine({{"scale", 4.0}, {"from", 0.5}});
  EXPECT_EQ(largest_difference(late[0], whole[0]), 0.0);
  EXPECT_LT(largest_difference(late[1], guided[1]), 1e-5);
  const Tensor restored = combine({{"scale", 4.0}, {"rescale", 1.0}});
  EXPECT_LT(largest_difference(restored.flatten(1).std(1, false), whole.flatten(1).std(1, false)), 1e-5);
}

TEST(Guidance, EditIsTheEquationOfInstructPix2Pix) {
  const Tensor predictions = normal({3, 5}, 6, 9).view({3, 2, 3, 5});
  const auto edit = make<Guidance>(Kind::guidance, "edit", {{"text_scale", 7.0}, {"image_scale", 2.0}});
  EXPECT_EQ(edit->contexts(), (std::vector<Context>{Context::whole, Context::no_text, Context::nothing}));
  const Tensor whole = predictions[0], image = predictions[1], nothing = predictions[2];
  EXPECT_LT(largest_difference(edit->combine({predictions, at::full({2}, 0.5)}),
                               nothing + 2 * (image - nothing) + 7 * (whole - image)),
            1e-4);
}

TEST(FlowMatching, TellsItsStepsAndStopsWhenTold) {
  FakeDenoiser denoiser(gaussian::velocity);
  Generator generator = Generator::for_rows(3, 0, 1);
  std::vector<std::pair<std::int64_t, std::int64_t>> told;
  const auto flow = sampler("flow_matching", {{"steps", std::int64_t{3}}});
  const Watch note = [&](const Step& step) {
    EXPECT_TRUE(step.guess && step.guess->x.isfinite().all().item<bool>());
    told.emplace_back(step.done, step.total);
    return true;
  };
  sample_with(*flow, denoiser, layout, scalar_condition(0, 1), generator, nullptr, note);
  EXPECT_EQ(told, (std::vector<std::pair<std::int64_t, std::int64_t>>{{1, 3}, {2, 3}, {3, 3}}));
  denoiser.calls = 0;
  const Watch stop = [](const Step&) { return false; };
  EXPECT_THROW(sample_with(*flow, denoiser, layout, scalar_condition(0, 1), generator, nullptr, stop), Cancelled);
  EXPECT_EQ(denoiser.calls, 1);
}

TEST(Samplers, SolveWhatAnotherHasTrainedOrRefuse) {
  Wiring wiring = small_context().wiring;
  const auto check = [&](const std::string& name, const Overrides& overrides = {}) {
    const ComponentDescriptor& component = descriptor_of(Kind::sampler, name);
    component.check(parameters_of(component, overrides), wiring);
  };
  check("flow_matching", {{"prediction", std::string("data")}});
  EXPECT_EQ(wiring.objective, "data/linear");
  check("flow_matching");
  EXPECT_TRUE(wiring.problems.empty());
  EXPECT_EQ(wiring.objective, "data/linear");
  check("ddpm");
  ASSERT_EQ(wiring.problems.size(), 1U);
  EXPECT_NE(wiring.problems[0].message.find("data/linear"), std::string::npos);
}

/// The schedules again, written on their own: shares of signal after t = 0..1000 steps.
std::vector<double> shares(const std::string& schedule) {
  std::vector<double> result{1.0};
  for (int t = 1; t <= 1000; ++t) {
    double beta = 1e-4 + (t - 1) * (0.02 - 1e-4) / 999;
    if (schedule == "cosine") {
      const double now = std::cos((t / 1000.0 + 0.008) / 1.008 * std::acos(0.0));
      const double before = std::cos(((t - 1) / 1000.0 + 0.008) / 1.008 * std::acos(0.0));
      beta = std::min(1 - now * now / (before * before), 0.999);
    }
    result.push_back(result.back() * (1 - beta));
  }
  return result;
}

TEST(Ddpm, DdimStepsAreTheClosedForm) {
  for (const std::string schedule : {"linear", "cosine"}) {
    for (const std::string prediction : {"epsilon", "v"}) {
      const auto share = shares(schedule);
      FakeDenoiser denoiser(
          [](const Tensor& x, const Tensor& t, const Condition&) { return 0.3 * x + column(t) - 0.2; });
      Generator generator = Generator::for_rows(3, 0, 2);
      const Tensor made =
          sample_with(
              *sampler("ddpm",
                       {{"schedule", schedule}, {"prediction", prediction}, {"steps", std::int64_t{4}}, {"clip", 0.0}}),
              denoiser, layout, scalar_condition(0, 2), generator)
              .x;
      Tensor x = normal({4, 8}, 2, 3).to(at::kDouble);
      for (const int t : {1000, 750, 500, 250}) {
        const double a = share[t], b = share[t - 250];
        const Tensor p = 0.3 * x + (t / 1000.0 - 0.2);
        // v = sqrt(a) epsilon - sqrt(1-a) data and x = sqrt(a) data + sqrt(1-a) epsilon, solved for epsilon
        const Tensor epsilon = prediction == "epsilon" ? p : std::sqrt(a) * p + std::sqrt(1 - a) * x;
        x = std::sqrt(b) * (x - std::sqrt(1 - a) * epsilon) / std::sqrt(a) + std::sqrt(1 - b) * epsilon;
      }
      // The cosine divides by 5e-5 and so makes large numbers of small ones, whose rounding grows as they do.
      const double scale = std::max(1.0, x.abs().max().item<double>());
      EXPECT_LT(largest_difference(made.to(at::kDouble), x), 1e-5 * scale) << schedule << " " << prediction;
    }
  }
}

TEST(Ddpm, TheExactPredictionOfAGaussianGivesItBack) {
  constexpr double mean = 1.0, deviation = 0.5;
  for (const std::string schedule : {"linear", "cosine"}) {
    for (const std::string prediction : {"epsilon", "v"}) {
      const auto share = shares(schedule);
      FakeDenoiser denoiser([&](const Tensor& x, const Tensor& t, const Condition&) {
        const double a = share[std::lround(t[0].item<double>() * 1000)];
        const double signal = std::sqrt(a), noise = std::sqrt(1 - a);
        const Tensor away = (x - signal * mean) / (a * deviation * deviation + 1 - a);
        const Tensor epsilon = noise * away, data = mean + signal * deviation * deviation * away;
        return prediction == "epsilon" ? epsilon : signal * epsilon - noise * data;
      });
      Generator generator = Generator::for_rows(3, 0, 8);
      const Layout large = make_layout(32, 32);
      const Tensor made =
          sample_with(
              *sampler("ddpm", {{"schedule", schedule}, {"prediction", prediction}, {"steps", std::int64_t{100}}}),
              denoiser, large, scalar_condition(0, 8), generator)
              .x;
      EXPECT_NEAR(made.mean().item<double>(), mean, 0.02) << schedule << " " << prediction;
      EXPECT_NEAR(made.std().item<double>(), deviation, 0.02) << schedule << " " << prediction;
    }
  }
}

TEST(Ddpm, LossIsZeroForThePredictionOfOneKnownImage) {
  const Tensor data = normal({4, 8}, 64, 5);
  for (const std::string prediction : {"epsilon", "v"}) {
    const auto share = at::tensor(shares("cosine"), at::kDouble);
    FakeDenoiser denoiser([&](const Tensor& x, const Tensor& t, const Condition&) {
      EXPECT_GT(t.min().item<double>(), 0.0);
      EXPECT_LE(t.max().item<double>(), 1.0);
      const Tensor a = column(share.index_select(0, (t * 1000).round().to(at::kLong)));
      const Tensor epsilon = (x - a.sqrt() * data) / (1 - a).sqrt();
      return (prediction == "epsilon" ? epsilon : a.sqrt() * epsilon - (1 - a).sqrt() * data).to(at::kFloat);
    });
    Generator generator = Generator::for_rows(11, 0, 64);
    const auto losses =
        losses_of(*sampler("ddpm", {{"prediction", prediction}}), denoiser, {data, {}}, Condition(), generator);
    EXPECT_EQ(losses.at(0).name, prediction == "v" ? "velocity" : "noise");
    EXPECT_LT(value(losses[0]), 1e-5);
  }
}

TEST(Ddpm, RefusesMoreStepsThanItsSchedule) {
  const Wiring wiring = small_context().wiring;
  EXPECT_EQ(problems(Kind::sampler, "ddpm", {}, wiring), "");
  EXPECT_NE(problems(Kind::sampler, "ddpm", {{"steps", std::int64_t{1001}}}, wiring).find("steps: "),
            std::string::npos);
}

TEST(Regression, IsTheMeanSquaredErrorOfOnePrediction) {
  const auto regression = sampler("regression");
  const Tensor data = normal({4, 8}, 3, 5);
  FakeDenoiser denoiser([](const Tensor& x, const Tensor& t, const Condition& c) {
    EXPECT_EQ(x.abs().max().item<double>(), 0.0);
    EXPECT_EQ(t.min().item<double>(), 1.0);
    return x + c.tokens;
  });
  Generator generator = Generator::for_rows(3, 0, 3);
  const auto losses = losses_of(*regression, denoiser, {data, {}}, scalar_condition(0.5, 3), generator);
  EXPECT_EQ(losses.at(0).name, "regression");
  EXPECT_NEAR(value(losses[0]), (data - 0.5).square().mean().item<double>(), 1e-6);
  denoiser.calls = 0;
  const Visual made = sample_with(*regression, denoiser, layout, scalar_condition(0.5, 3), generator);
  EXPECT_EQ(denoiser.calls, 1);
  EXPECT_EQ(made.x.sizes(), (std::vector<std::int64_t>{3, 4, 8}));
  EXPECT_EQ(made.x.min().item<double>(), 0.5);
}

TEST(Samplers, RefuseCodes) {
  Wiring codes = small_context().wiring;
  codes.features.codebook = 512;
  for (const std::string name : {"flow_matching", "ddpm", "regression"}) {
    EXPECT_NE(problems(Kind::sampler, name, {}, codes).find("codes"), std::string::npos);
  }
}

}  // namespace
}  // namespace blip3u::testing
