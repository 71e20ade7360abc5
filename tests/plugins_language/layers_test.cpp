// Layers, and the whole backbone, against numbers that Python's torch made (tests/data/make_layer_fixtures.py).
#include <filesystem>

#include "io/safetensors.h"
#include "layers/adaptive.h"
#include "layers/attention.h"
#include "layers/merge.h"
#include "layers/norm.h"
#include "layers/rotary.h"
#include "layers/swiglu.h"
#include "layers/time_embedding.h"
#include "layers/transformer.h"
#include "plugins_language/support.h"

namespace blip3u::testing {
namespace {

std::map<std::string, Tensor> fixtures() {
  std::map<std::string, Tensor> result;
  for (const auto& [name, value] :
       load_safetensors(std::filesystem::path(BLIP3U_TEST_DATA) / "layers.safetensors").tensors) {
    result[name] = value;
  }
  return result;
}

void set(torch::nn::Module& module, const std::string& name, const Tensor& value) {
  const torch::NoGradGuard no_gradient;
  module.named_parameters()[name].copy_(value);
}

TEST(Layers, RmsNormEqualsPython) {
  auto data = fixtures();
  layers::RMSNorm norm(24);
  set(*norm, "weight", data["rms_norm.weight"]);
  EXPECT_LT(largest_difference(norm(data["rms_norm.x"]), data["rms_norm.y"]), 1e-5);
}

TEST(Layers, RmsNormAddsItsEpsilonToTheMeanSquare) {
  auto data = fixtures();
  layers::RMSNorm norm(24);
  set(*norm, "weight", data["rms_norm.weight"]);
  const Tensor small = data["rms_norm.x"] * 1e-3;  // mean squares of about 9e-6, of which the epsilon is a tenth
  const Tensor exact = small.to(at::kDouble);
  const Tensor expected =
      exact / (exact.square().mean(-1, /*keepdim=*/true) + 1e-6).sqrt() * data["rms_norm.weight"].to(at::kDouble);
  EXPECT_LT(largest_difference(norm(small).to(at::kDouble), expected), 1e-5);
}

TEST(Layers, RmsNormAndItsGradientsAreThoseOfItsFormula) {
  for (const std::int64_t width : {5, 16, 50}) {
    const Tensor all = normal({7, 5, width}, 3), weight = normal({width}, 1, 2)[0];
    for (const Tensor& x : {all, all.narrow(2, 1, 3), all.transpose(1, 2), all.transpose(0, 2), all[1][2][3]}) {
      std::vector<Tensor> inputs{x.detach().requires_grad_(), weight.detach().clone().requires_grad_()};
      std::vector<Tensor> exact{x.to(at::kDouble).requires_grad_(), weight.to(at::kDouble).requires_grad_()};
      const Tensor y = nn::rms_norm(inputs[0], inputs[1], 1e-6);
      const Tensor expected = exact[0] / (exact[0].square().mean(-1, true) + 1e-6).sqrt() * exact[1];
      EXPECT_LT(largest_difference(y.to(at::kDouble), expected), 1e-6);
      {
        const at::NoGradGuard no_grad;
        EXPECT_TRUE(at::equal(nn::rms_norm(x, weight, 1e-6), y));
      }
      const Tensor above = normal(y.sizes(), 1, 3)[0];
      const auto gradients = torch::autograd::grad({y}, inputs, {above});
      const auto exact_gradients = torch::autograd::grad({expected}, exact, {above.to(at::kDouble)});
      for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_LT(largest_difference(gradients[i].to(at::kDouble), exact_gradients[i]), 1e-5) << width << ' ' << i;
      }
    }
  }
}

TEST(Layers, RmsNormIsDifferentiatedOnce) {
  const Tensor x = at::ones({2, 4}).requires_grad_();
  const Tensor y = nn::rms_norm(x, at::ones({4}), 1e-6).sum();
  EXPECT_THROW(torch::autograd::grad({y}, {x}, {}, /*retain_graph=*/true, /*create_graph=*/true), Error);
}

TEST(Layers, SwigluEqualsPython) {
  auto data = fixtures();
  layers::SwiGLU swiglu(12, 20);
  set(*swiglu, "gate_up.weight", data["swiglu.gate_up"]);
  set(*swiglu, "down.weight", data["swiglu.down"]);
  EXPECT_LT(largest_difference(swiglu(data["swiglu.x"]), data["swiglu.y"]), 1e-4);  // values of up to a few hundred
}

TEST(Layers, RotaryPositionsEqualPython) {
  auto data = fixtures();
  for (const auto& [theta, name] : {std::pair{10000.0, "rotary.y_10000"}, std::pair{500000.0, "rotary.y_500000"}}) {
    const auto table = layers::rotary_table(data["rotary.positions"], 16, theta);
    EXPECT_LT(largest_difference(layers::apply_rotary(data["rotary.x"], table), data[name]), 2e-4) << theta;
  }
}

TEST(Layers, BackboneEqualsPython) {
  auto data = fixtures();
  const auto gpt = small_gpt({{"width", std::int64_t{16}}, {"hidden", std::int64_t{24}}});
  int copied = 0;
  for (const NamedTensor& weight : gpt->weights()) {
    if (!weight.name.starts_with("experts.")) continue;
    const torch::NoGradGuard no_gradient;
    ASSERT_TRUE(data.contains("gpt." + weight.name)) << weight.name;
    weight.value.copy_(data["gpt." + weight.name]);
    ++copied;
  }
  EXPECT_EQ(copied, 2 * 8 + 1);
  const Tensor hidden =
      gpt->begin(2)->append({.embeds = data["gpt_input.embeds"], .valid = {}, .group = data["gpt_input.group"]});
  EXPECT_LT(largest_difference(hidden, data["gpt_input.hidden"]), 1e-5);
}

TEST(Layers, AttentionIsWhatItsFormulaSays) {
  const torch::NoGradGuard no_gradient;
  layers::Attention attention(8, 2, 5);
  const Tensor x = normal({3, 8}, 2), context = normal({4, 5}, 2, 2);
  const Tensor mask = at::tensor({1, 1, 0, 1, 1, 0, 0, 0}, at::kInt).to(at::kBool).view({2, 4});
  auto weights = attention->named_parameters();
  const Tensor query = at::linear(x, weights["query.weight"], weights["query.bias"]);
  const Tensor key_value = at::linear(context, weights["key_value.weight"], weights["key_value.bias"]);
  std::vector<Tensor> heads;
  for (int h = 0; h < 2; ++h) {
    const Tensor q = query.slice(2, 4 * h, 4 * h + 4), k = key_value.slice(2, 4 * h, 4 * h + 4),
                 v = key_value.slice(2, 8 + 4 * h, 12 + 4 * h);
    const Tensor scores = at::matmul(q, k.transpose(1, 2)) / 2.0;
    heads.push_back(at::matmul(
        scores.masked_fill(mask.unsqueeze(1).logical_not(), -std::numeric_limits<float>::infinity()).softmax(-1), v));
  }
  const Tensor expected = at::linear(at::cat(heads, 2), weights["output.weight"], weights["output.bias"]);
  EXPECT_LT(largest_difference(attention->forward(x, attention->read(context), mask), expected), 1e-5);
}

TEST(Layers, AttentionToNothingIsFinite) {
  layers::Attention attention(8, 2);
  const Tensor x = normal({3, 8}, 2).requires_grad_();
  const Tensor y = attention->forward(x, at::zeros({2, 3}, at::kBool));
  y.sum().backward();
  EXPECT_TRUE(y.isfinite().all().item<bool>());
  EXPECT_TRUE(x.grad().isfinite().all().item<bool>());
}

TEST(Layers, AdaptiveBlocksStartAsTheIdentity) {
  torch::nn::ModuleList list;
  layers::TransformerBlock block(
      layers::TransformerOptions{.width = 8, .heads = 2, .adaptive = true, .context_width = 8});
  list->push_back(block);
  layers::zero_adaptive(*list);
  const Tensor x = normal({3, 8}, 2);
  layers::TransformerInputs inputs;
  inputs.condition = normal({8}, 2, 3);
  inputs.context = normal({5, 8}, 2, 4);
  EXPECT_EQ(largest_difference(block->forward(x, inputs), x), 0.0);

  layers::zero_adaptive(*list, 1.0);  // open gates: what every part of a plain block would add
  const auto part = [&](const std::string& name) { return block->named_children()[name]; };
  auto* const cross = part("cross_attention")->as<layers::AttentionImpl>();
  const Tensor attended = x + part("attention")->as<layers::AttentionImpl>()->forward(at::layer_norm(x, {8}));
  const Tensor crossed =
      attended + cross->forward(at::layer_norm(attended, {8}), cross->read(inputs.context), Tensor());
  const Tensor fed =
      crossed + part("feed_forward")->as<layers::FeedForwardImpl>()->forward(at::layer_norm(crossed, {8}));
  EXPECT_LT(largest_difference(block->forward(x, inputs), fed), 1e-5);
}

TEST(Layers, SquaresOfTokensComeApartAgain) {
  const Tensor x = at::arange(2 * 16 * 3, at::kFloat).view({2, 16, 3});
  const Tensor merged = layers::merge_squares(x, 2);
  // The second square of a 4 x 4 grid holds tokens 2, 3, 6 and 7.
  EXPECT_TRUE(at::equal(merged[0][1], at::cat({x[0][2], x[0][3], x[0][6], x[0][7]})));
  EXPECT_TRUE(at::equal(layers::split_squares(merged, 2), x));
}

TEST(Layers, TimeEmbeddingTellsTimesApart) {
  layers::TimeEmbedding embedding(16);
  const Tensor y = embedding(at::tensor({0.0F, 0.01F, 0.5F, 1.0F}));
  EXPECT_EQ(y.sizes(), (std::vector<std::int64_t>{4, 16}));
  for (int i = 0; i < 3; ++i) EXPECT_GT((y[i] - y[i + 1]).norm().item<double>(), 1e-3);
}

}  // namespace
}  // namespace blip3u::testing
