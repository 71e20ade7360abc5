#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include <ATen/ATen.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>

#include "blip3u/module_component.h"
#include "blip3u/random.h"

namespace blip3u {
namespace {

TEST(Random, RowDoesNotDependOnItsBatch) {
  Generator many = Generator::for_rows(7, 0, 5), one = Generator::for_rows(7, 3, 1);
  for (int draw = 0; draw < 3; ++draw) {  // 33 numbers: not a multiple of what a vector instruction fills
    EXPECT_TRUE(many.normal({3, 11}, at::kCPU)[3].equal(one.normal({3, 11}, at::kCPU)[0]));
    EXPECT_TRUE(many.uniform({4}, at::kCPU)[3].equal(one.uniform({4}, at::kCPU)[0]));
  }
}

TEST(Random, Moments) {
  Generator generator = Generator::for_rows(1, 0, 100);
  const Tensor normal = generator.normal({1000}, at::kCPU), uniform = generator.uniform({1000}, at::kCPU);
  EXPECT_EQ(normal.sizes(), at::IntArrayRef({100, 1000}));
  EXPECT_EQ(normal.scalar_type(), at::kFloat);
  EXPECT_NEAR(normal.mean().item<double>(), 0, 0.015);  // 1e5 draws: five deviations of the mean are 0.016
  EXPECT_NEAR(normal.var().item<double>(), 1, 0.025);
  EXPECT_NEAR(uniform.mean().item<double>(), 0.5, 0.005);
  EXPECT_GE(uniform.min().item<double>(), 0);
  EXPECT_LT(uniform.max().item<double>(), 1);
  // rows are not copies or shifts of each other
  EXPECT_NEAR((normal[0] * normal[1]).mean().item<double>(), 0, 0.16);
}

TEST(Random, SeedsDiffer) {
  std::set<std::uint64_t> seeds;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    for (std::uint64_t number = 0; number < 50; ++number) seeds.insert(derive_seed(seed, number));
    for (const char* name : {"", "a", "b", "ab", "ba"}) seeds.insert(derive_seed(seed, name));
  }
  EXPECT_EQ(seeds.size(), 50u * 55u);
}

/// splitmix64 from its definition (Steele et al.): the first output of a state that starts at x.
std::uint64_t reference(std::uint64_t x) {
  std::uint64_t z = x + 0x9E3779B97F4A7C15ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

TEST(Random, SeedsAreStable) {
  ASSERT_EQ(reference(0), 0xE220A8397B1DCDAFull);  // published first output of seed 0
  EXPECT_EQ(derive_seed(5, std::uint64_t{9}), reference(reference(5) ^ reference(~std::uint64_t{9})));
  EXPECT_EQ(derive_seed(5, "é"), reference(reference(reference(reference(5) + 2) ^ 0xC3) ^ 0xA9));
}

struct Net : torch::nn::Module {
  torch::nn::Linear linear{nullptr};
  torch::nn::Sequential rest{nullptr};
  Tensor scale;
  explicit Net(bool more) {
    linear = register_module("linear", torch::nn::Linear(100, 50));
    torch::nn::Sequential parts;
    if (more) parts->push_back("extra", torch::nn::Linear(3, 3));
    parts->push_back("convolution", torch::nn::Conv2d(torch::nn::Conv2dOptions(4, 8, 5)));
    parts->push_back("words", torch::nn::Embedding(50, 40));
    parts->push_back("up", torch::nn::ConvTranspose2d(torch::nn::ConvTranspose2dOptions(16, 2, 4).stride(2)));
    rest = register_module("rest", parts);
    scale = register_parameter("scale", at::full({3}, 7.0));
  }
};

TEST(Random, InitialWeightsFollowNameAndSeed) {
  Net small(false), large(true), other(false);  // on the stack: initialisation needs no shared_ptr
  initialize_weights(small, 1);
  initialize_weights(large, 1);
  initialize_weights(other, 2);
  const auto first = small.named_parameters(), second = large.named_parameters(), third = other.named_parameters();
  for (const auto& item : first) EXPECT_TRUE(item.value().equal(second[item.key()])) << item.key();
  EXPECT_FALSE(first["linear.weight"].equal(third["linear.weight"]));
  EXPECT_TRUE(first["scale"].eq(7).all().item<bool>());
  EXPECT_TRUE(first["linear.bias"].eq(0).all().item<bool>());

  const auto bound = [&](const char* name) { return first[name].abs().max().item<double>(); };
  EXPECT_NEAR(bound("linear.weight"), std::sqrt(6.0 / (100 + 50)), 1e-3);  // Glorot
  EXPECT_NEAR(bound("rest.convolution.weight"), 1 / std::sqrt(4 * 25.0), 2e-3);
  EXPECT_NEAR(bound("rest.up.weight"), 1 / std::sqrt(16 * 16 / 4.0), 2e-3);
  EXPECT_NEAR(first["rest.words.weight"].std().item<double>(), 0.02, 0.002);
  EXPECT_TRUE(first["linear.weight"].requires_grad());
}

TEST(Random, LearnedTable) {
  const Tensor table = learned_table({64, 64}, 0.5, 3, "queries");
  EXPECT_NEAR(table.std().item<double>(), 0.5, 0.03);
  EXPECT_TRUE(table.equal(learned_table({64, 64}, 0.5, 3, "queries")));
  EXPECT_FALSE(table.equal(learned_table({64, 64}, 0.5, 3, "positions")));
}

}  // namespace
}  // namespace blip3u
