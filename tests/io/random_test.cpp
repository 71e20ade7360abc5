#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <ATen/ATen.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>

#include "blip3u/module_component.h"
#include "blip3u/random.h"
#include "philox.h"

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

// Random123's kat_vectors for philox4x32 with 10 rounds.
TEST(Random, PhiloxGivesThePublishedNumbers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox({ones, ones, ones, ones}, {ones, ones}),
            (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, AllBitsOfASeedCount) {
  const std::uint64_t high = std::uint64_t{1} << 32;
  EXPECT_FALSE(Generator({5}).normal({16}, at::kCPU).equal(Generator({5 + high}).normal({16}, at::kCPU)));
  EXPECT_FALSE(Generator({5}).uniform({16}, at::kCPU).equal(Generator({5 + high}).uniform({16}, at::kCPU)));
  EXPECT_NE(shuffled(20, 5), shuffled(20, 5 + high));
}

// Kolmogorov & Smirnov: sqrt(n) times the greatest distance of the distributions exceeds 1.95 once in a thousand.
double distance(const Tensor& draws, double (*distribution)(double)) {
  const Tensor sorted = std::get<0>(draws.flatten().to(at::kDouble).sort());
  const auto n = static_cast<double>(sorted.numel());
  double greatest = 0;
  for (std::int64_t i = 0; i < sorted.numel(); ++i) {
    const double expected = distribution(sorted.const_data_ptr<double>()[i]);
    const auto below = static_cast<double>(i);
    greatest = std::max({greatest, expected - below / n, (below + 1) / n - expected});
  }
  return std::sqrt(n) * greatest;
}

TEST(Random, FollowsTheDistributions) {
  Generator generator = Generator::for_rows(3, 0, 10);
  const Tensor normal = generator.normal({20001}, at::kCPU);
  EXPECT_LT(distance(normal, [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }), 1.95);
  EXPECT_LT(distance(generator.uniform({20001}, at::kCPU), [](double x) { return x; }), 1.95);
  EXPECT_TRUE(normal.isfinite().all().item<bool>());
  EXPECT_NEAR(normal.pow(4).mean().item<double>(), 3, 0.12);  // five deviations: 5 sqrt(96 / n)
  EXPECT_NEAR((normal.slice(1, 0, 10000) * normal.slice(1, 10001)).mean().item<double>(), 0, 0.016);  // pairs
}

TEST(Random, ShuffledIsAPermutationOfAllOrders) {
  std::map<std::vector<std::int64_t>, int> seen;
  for (std::uint64_t seed = 0; seed < 6000; ++seed) ++seen[shuffled(3, seed)];
  EXPECT_EQ(seen.size(), 6u);
  for (const auto& [order, times] : seen) EXPECT_NEAR(times, 1000, 5 * std::sqrt(1000 * 5 / 6.0));
  EXPECT_TRUE(shuffled(0, 1).empty());
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
