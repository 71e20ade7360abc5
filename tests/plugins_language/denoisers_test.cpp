// The denoisers dit and mlp behind the real backbone.
#include "plugins_language/support.h"

namespace blip3u::testing {
namespace {

class DenoiserTest : public ::testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Denoiser> denoiser() {
    Overrides small = {{"width", std::int64_t{32}}, {"layers", std::int64_t{2}}};
    if (GetParam() == "dit") small.merge(Overrides{{"heads", std::int64_t{4}}, {"merge", std::int64_t{2}}});
    return make<Denoiser>(Kind::denoiser, GetParam(), small, small_context());
  }

  std::unique_ptr<Session> session(std::int64_t rows, std::uint64_t seed = 1) {
    auto result = gpt_->begin(rows);
    Block text;
    text.embeds = normal({5, 32}, rows, seed);
    result->append(text);
    return result;
  }

  std::unique_ptr<Backbone> gpt_ = small_gpt();
};

Tensor ask(Denoiser& denoiser, const Tensor& x, const Tensor& time, const Condition& condition,
           std::int64_t step = -1) {
  return denoiser.predict({.noised = {x, {}}, .time = time, .condition = condition, .step = step});
}

TEST_P(DenoiserTest, WhatIsKeptChangesNothing) {
  const auto network = denoiser();
  randomize(*network, 5);
  const auto context = session(2);
  const Tensor x = normal({16, 6}, 2, 4), time = at::full({2}, 0.4);
  const Tensor computed = ask(*network, x, time, *network->prepare({.context = *context}));
  const torch::NoGradGuard no_gradient;
  const std::vector<double> times{0.9, 0.4};
  const auto condition = network->prepare({.context = *context, .times = times});
  EXPECT_LT(largest_difference(ask(*network, x, time, *condition), computed), 1e-5);
  EXPECT_LT(largest_difference(ask(*network, x, time, *condition, 1), computed), 1e-5);
}

TEST_P(DenoiserTest, StartsAtZero) {
  const auto network = denoiser();
  const auto context = session(3);
  const Tensor y = ask(*network, normal({16, 6}, 3), at::full({3}, 0.4), *network->prepare({.context = *context}));
  EXPECT_EQ(y.sizes(), (std::vector<std::int64_t>{3, 16, 6}));
  EXPECT_EQ(y.abs().max().item<double>(), 0.0);
}

TEST_P(DenoiserTest, PredictsFromImageTimeAndPrompt) {
  const torch::NoGradGuard no_gradient;
  const auto network = denoiser();
  randomize(*network, 5);
  const auto one = session(2), other = session(2, 9);
  const auto first = network->prepare({.context = *one}), second = network->prepare({.context = *other});
  const Tensor x = normal({16, 6}, 2, 4), time = at::full({2}, 0.4);
  const Tensor y = ask(*network, x, time, *first);
  EXPECT_GT(largest_difference(ask(*network, x + 0.1, time, *first), y), 1e-4);
  EXPECT_GT(largest_difference(ask(*network, x, time + 0.3, *first), y), 1e-4);
  EXPECT_GT(largest_difference(ask(*network, x, time, *second), y), 1e-4);
}

TEST_P(DenoiserTest, LeavesNoTraceInTheSession) {
  const torch::NoGradGuard no_gradient;
  const auto network = denoiser();
  const auto read = session(2), untouched = session(2);
  network->prepare({.context = *read});
  Block more;
  more.embeds = normal({2, 32}, 2, 8);
  EXPECT_EQ(largest_difference(read->append(more), untouched->append(more)), 0.0);
}

TEST_P(DenoiserTest, GradientReachesTheQueriesAndTheBackbone) {
  const auto network = denoiser();
  randomize(*network, 5);
  const auto context = session(2);
  ask(*network, normal({16, 6}, 2), at::full({2}, 0.4), *network->prepare({.context = *context}))
      .square()
      .sum()
      .backward();
  for (const NamedTensor& weight : network->weights()) {
    EXPECT_TRUE(weight.value.grad().defined() && weight.value.grad().abs().max().item<double>() > 0) << weight.name;
  }
  int reached = 0;
  for (const NamedTensor& weight : gpt_->weights()) reached += weight.value.grad().defined();
  EXPECT_GT(reached, 10);
}

TEST_P(DenoiserTest, SamplesDoNotDependOnTheirBatch) {
  const torch::NoGradGuard no_gradient;
  const auto network = denoiser();
  randomize(*network, 5);
  for (const std::string name : {"flow_matching", "ddpm", "regression"}) {
    const auto sampler =
        make<Sampler>(Kind::sampler, name, name == "regression" ? Overrides{} : Overrides{{"steps", std::int64_t{3}}});
    const auto sample = [&](std::int64_t first, std::int64_t count) {
      const auto session = gpt_->begin(2 * count);
      const Tensor texts = normal({5, 32}, 3, 1).slice(0, first, first + count);
      Block text;
      text.embeds = at::cat({texts, at::zeros_like(texts)});
      session->append(text);
      Generator generator = Generator::for_rows(21, first, count);
      const auto cfg = make<Guidance>(Kind::guidance, "cfg");
      const auto times = sampler->times();
      const auto condition = network->prepare({.context = *session, .times = times});
      return sample_with(*sampler, *network, small_context().wiring.features, *condition, generator, cfg.get()).x;
    };
    const Tensor together = sample(0, 3);
    EXPECT_TRUE(together.isfinite().all().item<bool>());
    for (std::int64_t row = 0; row < 3; ++row) {
      const Tensor alone = sample(row, 1);
      const double scale = 1 + alone.abs().max().item<double>();
      EXPECT_LT(largest_difference(alone, together.slice(0, row, row + 1)), 1e-4 * scale) << name;
    }
  }
}

TEST_P(DenoiserTest, RefusesAPipelineWithoutBackboneOrEncoder) {
  EXPECT_EQ(problems(Kind::denoiser, GetParam(), {}, small_context().wiring), "");
  EXPECT_NE(problems(Kind::denoiser, GetParam(), {}, {}).find("backbone"), std::string::npos);
  EXPECT_NE(problems(Kind::denoiser, GetParam(), {}, {}).find("encoder"), std::string::npos);
  if (GetParam() == "dit") {
    Wiring scales = small_context().wiring;
    scales.features.tokens = 21;
    EXPECT_NE(problems(Kind::denoiser, "dit", {}, scales).find("positions: "), std::string::npos);
    EXPECT_EQ(problems(Kind::denoiser, "dit", {{"positions", std::string("random")}}, scales), "");
    EXPECT_NE(problems(Kind::denoiser, "dit", {{"heads", std::int64_t{5}}}, small_context().wiring).find("heads: "),
              std::string::npos);
  }
}

TEST(Dit, SeesTheLastPictureOfEachRow) {
  const torch::NoGradGuard no_gradient;
  const auto gpt = small_gpt();
  const auto dit =
      make<Denoiser>(Kind::denoiser, "dit", {{"width", std::int64_t{32}}, {"heads", std::int64_t{4}}, {"source", true}},
                     small_context());
  randomize(*dit, 5);
  const Tensor first = normal({16, 6}, 3, 11), second = normal({16, 6}, 3, 12), noised = normal({16, 6}, 3, 4);
  Tensor both = at::ones({3, 16}, at::kBool), one = both.clone();
  both[2].fill_(false);  // row 0 has two pictures, row 1 one, row 2 none
  one[1].fill_(false);
  one[2].fill_(false);
  const auto ask_with = [&](const std::vector<Visual>& sources) {
    const auto session = gpt->begin(3);
    Block text;
    text.embeds = at::zeros({3, 5, 32});
    session->append(text);
    return ask(*dit, noised, at::full({3}, 0.4), *dit->prepare({.context = *session, .sources = sources}));
  };
  const Tensor made = ask_with({{first, {}, both}, {second, {}, one}});
  const Tensor of_first = ask_with({{first, {}}}), of_second = ask_with({{second, {}}}), of_nothing = ask_with({});
  EXPECT_LT(largest_difference(made[0], of_second[0]), 1e-6);
  EXPECT_LT(largest_difference(made[1], of_first[1]), 1e-6);
  EXPECT_LT(largest_difference(made[2], of_nothing[2]), 1e-6);
  EXPECT_GT(largest_difference(of_first[1], of_second[1]), 1e-3);
  EXPECT_GT(largest_difference(of_first[2], of_nothing[2]), 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Denoisers, DenoiserTest, ::testing::Values("dit", "mlp"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace blip3u::testing
