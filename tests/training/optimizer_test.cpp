#include "training/optimizer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

namespace blip3u {
namespace {

Stage stage() {
  return {.name = "s",
          .objective = ObjectiveKind::encoder,
          .train = {},
          .steps = 100,
          .batch = 1,
          .learning_rate = 0.1,
          .final_learning_rate = 0.2,
          .warmup = 0.1,
          .weight_decay = 0.5};
}

TEST(LearningRate, RisesLinearlyThenFallsByACosine) {
  EXPECT_DOUBLE_EQ(learning_rate_at(stage(), 0), 0.01);
  EXPECT_DOUBLE_EQ(learning_rate_at(stage(), 9), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate_at(stage(), 10), 0.1);
  EXPECT_NEAR(learning_rate_at(stage(), 55), 0.1 * (0.2 + 0.8 * 0.5), 1e-12);
  EXPECT_GT(learning_rate_at(stage(), 99), 0.02);
  EXPECT_NEAR(learning_rate_at(stage(), 99), 0.02, 1e-4);
}

// AdamW by hand, in double, for a matrix (decayed) and a vector (not).
TEST(Optimizer, StepsAsAdamWDoes) {
  const Tensor matrix = at::full({1, 1}, 2.0), vector = at::full({1}, 3.0);
  Optimizer optimizer({{"matrix", matrix}, {"vector", vector}}, stage());
  double w[2] = {2.0, 3.0}, m[2] = {0, 0}, v[2] = {0, 0};
  for (int step = 0; step < 5; ++step) {
    const double gradients[2] = {0.3 * (step + 1), -0.2};
    matrix.mutable_grad() = at::full({1, 1}, gradients[0]);
    vector.mutable_grad() = at::full({1}, gradients[1]);
    const double norm = optimizer.step(step);
    EXPECT_NEAR(norm, std::hypot(gradients[0], gradients[1]), 1e-6);
    const double rate = learning_rate_at(stage(), step);
    for (int i = 0; i < 2; ++i) {
      if (i == 0) w[i] -= rate * 0.5 * w[i];
      m[i] = 0.9 * m[i] + 0.1 * gradients[i];
      v[i] = 0.99 * v[i] + 0.01 * gradients[i] * gradients[i];
      const double m_hat = m[i] / (1 - std::pow(0.9, step + 1)), v_hat = v[i] / (1 - std::pow(0.99, step + 1));
      w[i] -= rate * m_hat / (std::sqrt(v_hat) + 1e-8);
    }
    EXPECT_NEAR(matrix.item<double>(), w[0], 1e-5);
    EXPECT_NEAR(vector.item<double>(), w[1], 1e-5);
    EXPECT_FALSE(matrix.grad().defined());
  }
}

// Adam's first step is the learning rate against the gradient's sign, whenever it comes.
TEST(Optimizer, CountsTheStepsOfEachWeight) {
  Stage plain = stage();
  plain.weight_decay = 0;
  const Tensor early = at::zeros({1}), late = at::zeros({1});
  Optimizer optimizer({{"early", early}, {"late", late}}, plain);
  for (int step = 0; step < 30; ++step) {
    early.mutable_grad() = at::full({1}, 0.1);
    optimizer.step(step);
  }
  late.mutable_grad() = at::full({1}, -0.3);
  optimizer.step(30);
  EXPECT_NEAR(late.item<double>(), learning_rate_at(plain, 30), 1e-6);
}

TEST(Optimizer, RestoresTheCountsOfSteps) {
  const Tensor weight = at::zeros({1});
  Optimizer optimizer({{"w", weight}}, stage());
  weight.mutable_grad() = at::full({1}, 1.0);
  optimizer.step(0);
  const NamedTensor steps = optimizer.saved_tensors()[3];
  EXPECT_EQ(steps.name, "steps/w");
  EXPECT_EQ(steps.value.item<double>(), 1);
}

TEST(Optimizer, DecaysMatricesAndNoTables) {
  const Tensor matrix = at::ones({2, 3}), kernel = at::ones({2, 3, 4, 4});
  for (const char* name : {"backbone/head", "encoder/blocks.0.attention.query.weight", "matrix"}) {
    EXPECT_TRUE(decays({name, matrix})) << name;
  }
  EXPECT_TRUE(decays({"encoder/patch_embedding.weight", kernel}));
  for (const char* name : {"positions", "encoder/image.positions", "backbone/visual_positions", "backbone/embedding",
                           "encoder/text.embedding.weight", "denoiser/queries", "denoiser/queries.table"}) {
    EXPECT_FALSE(decays({name, matrix})) << name;
  }
  EXPECT_FALSE(decays({"encoder/norm.weight", at::ones({4})}));
}

TEST(Optimizer, LeavesTheWeightsWhereAGradientIsNotFinite) {
  const Tensor weight = at::ones({1}), other = at::ones({1});
  Optimizer optimizer({{"w", weight}, {"o", other}}, stage());
  weight.mutable_grad() = at::full({1}, std::nan(""));
  other.mutable_grad() = at::full({1}, 1.0);
  EXPECT_FALSE(std::isfinite(optimizer.step(0)));
  EXPECT_EQ(weight.item<double>(), 1);
  EXPECT_EQ(other.item<double>(), 1);
}

TEST(Optimizer, ClipsTheGlobalNorm) {
  Stage clipped = stage();
  clipped.gradient_clip = 1.0;
  const Tensor a = at::zeros({2, 2}), b = at::zeros({2, 2});
  Optimizer first({{"a", a}}, clipped), second({{"b", b}}, clipped);
  a.mutable_grad() = at::full({2, 2}, 50.0);
  b.mutable_grad() = at::full({2, 2}, 0.5);  // norm 1, the same direction
  EXPECT_NEAR(first.step(0), 100.0, 1e-3);
  EXPECT_NEAR(second.step(0), 1.0, 1e-6);
  const auto moment = [](const Optimizer& optimizer) { return optimizer.saved_tensors()[1].value; };
  EXPECT_TRUE(at::allclose(moment(first), moment(second), 1e-4));
}

TEST(Optimizer, KeepsAMovingAverageThatWarmsUp) {
  Stage averaged = stage();
  averaged.average_decay = 0.5;
  averaged.weight_decay = 0;
  const Tensor weight = at::full({1, 1}, 1.0);
  Optimizer optimizer({{"weight", weight}}, averaged);
  double average = 1.0;
  for (int step = 0; step < 20; ++step) {
    weight.mutable_grad() = at::full({1, 1}, 1.0);
    optimizer.step(step);
    const double decay = std::min(0.5, (1.0 + step) / (10.0 + step));
    average = decay * average + (1 - decay) * weight.item<double>();
  }
  EXPECT_NE(weight.item<double>(), average);
  optimizer.use_averages();
  EXPECT_NEAR(weight.item<double>(), average, 1e-5);
}

}  // namespace
}  // namespace blip3u
