// The encoder clip: embeddings, and its contrastive losses against loops over the closed form.
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugins_vision/support.h"

namespace blip3u::testing {
namespace {

using ::testing::IsEmpty;

using Rows = std::vector<std::vector<std::int64_t>>;

std::unique_ptr<Encoder> clip_with(const Overrides& overrides) {
  Choice choice = small_clip();
  for (const auto& [name, value] : overrides) choice.overrides[name] = value;
  return make_encoder(choice);
}

std::vector<Loss> losses_of(Encoder& encoder, const Tensor& images, const TextBatch& captions) {
  Generator generator = Generator::for_rows(0, 0, images.size(0));
  return encoder.loss({images, captions}, generator);
}

double weight_of(const Encoder& encoder, const std::string& name) {
  for (const NamedTensor& weight : encoder.weights()) {
    if (weight.name == name) return weight.value.item<double>();
  }
  throw Error("no weight " + name);
}

/// Cosine similarities of the encoder's own embeddings, as numbers.
std::vector<std::vector<double>> similarities(Encoder& encoder, const Tensor& images, const TextBatch& captions) {
  const torch::NoGradGuard no_gradient;
  const Tensor image = encoder.embed_image(encoder.encode(images)), text = encoder.embed_text(captions);
  std::vector<std::vector<double>> result;
  for (std::int64_t i = 0; i < image.size(0); ++i) {
    result.emplace_back();
    for (std::int64_t j = 0; j < text.size(0); ++j) {
      result.back().push_back((image[i] * text[j]).sum().item<double>());
    }
  }
  return result;
}

// Rows 0 and 3 say the same, row 2 says nothing, and row 4 begins like row 1.
const Rows captions{{4, 5, 6}, {7, 8}, {}, {4, 5, 6}, {7, 8, 9}};
constexpr std::size_t spoken[] = {0, 1, 3, 4};

TEST(Clip, SiglipLossIsTheClosedForm) {
  const auto encoder = clip_with({{"initial_scale", 7.0}, {"initial_bias", -2.0}});
  const Tensor images = pictures(5);
  const auto similarity = similarities(*encoder, images, texts(captions));
  double expected = 0;
  for (const std::size_t i : spoken) {
    for (const std::size_t j : spoken) {
      const double logit = 7.0 * similarity[i][j] - 2.0;
      const double sign = captions[i] == captions[j] ? 1 : -1;
      expected += std::log1p(std::exp(-sign * logit));
    }
  }
  const Loss loss = losses_of(*encoder, images, texts(captions))[0];
  EXPECT_EQ(loss.name, "contrastive");
  EXPECT_EQ(loss.count.item<double>(), 4);
  EXPECT_NEAR(loss.sum.item<double>(), expected, 1e-4);
}

TEST(Clip, InfonceLossIsTheClosedForm) {
  const auto encoder = clip_with({{"objective", std::string("infonce")}, {"initial_scale", 7.0}});
  const Tensor images = pictures(5);
  const auto similarity = similarities(*encoder, images, texts(captions));
  double expected = 0;
  for (const std::size_t i : spoken) {
    double by_image = 0, by_text = 0, partners = 0;
    for (const std::size_t j : spoken) {
      by_image += std::exp(7.0 * similarity[i][j]);
      by_text += std::exp(7.0 * similarity[j][i]);
      partners += captions[i] == captions[j];
    }
    for (const std::size_t j : spoken) {
      if (captions[i] != captions[j]) continue;
      expected -= 0.5 / partners * std::log(std::exp(7.0 * similarity[i][j]) / by_image);
      expected -= 0.5 / partners * std::log(std::exp(7.0 * similarity[j][i]) / by_text);
    }
  }
  const Loss loss = losses_of(*encoder, images, texts(captions))[0];
  EXPECT_EQ(loss.count.item<double>(), 4);
  EXPECT_NEAR(loss.sum.item<double>(), expected, 1e-4);
}

TEST(Clip, BatchWithoutAnyCaptionHasAFiniteGradient) {
  for (const char* objective : {"siglip", "infonce"}) {
    const auto encoder = clip_with({{"objective", std::string(objective)}});
    const auto losses = losses_of(*encoder, pictures(2), texts({{}, {}}));
    EXPECT_EQ(losses[0].sum.item<double>(), 0);
    EXPECT_EQ(losses[0].count.item<double>(), 1);
    total(losses).backward();
    for (const NamedTensor& weight : encoder->weights()) {
      if (weight.value.grad().defined()) {
        EXPECT_TRUE(weight.value.grad().isfinite().all().item<bool>()) << weight.name;
      }
    }
  }
}

TEST(Clip, EmbeddingsHaveUnitLengthAndFeaturesAreNormalised) {
  const torch::NoGradGuard no_gradient;
  for (const char* pooling : {"mean", "attention"}) {
    const auto encoder = clip_with({{"pooling", std::string(pooling)}});
    const Visual features = encoder->encode(pictures(3));
    EXPECT_TRUE(torch::allclose(features.x.mean(-1), torch::zeros({3, 16}), 0, 1e-5));
    EXPECT_TRUE(torch::allclose(features.x.var(-1, false), torch::ones({3, 16}), 0, 1e-2));
    const Tensor image = encoder->embed_image(features), text = encoder->embed_text(texts({{4}, {5, 6}}));
    EXPECT_EQ(image.sizes(), (std::vector<std::int64_t>{3, 16}));
    EXPECT_TRUE(torch::allclose(image.norm(2, -1), torch::ones({3})));
    EXPECT_TRUE(torch::allclose(text.norm(2, -1), torch::ones({2})));
  }
}

TEST(Clip, TextEmbeddingDependsOnNothingButItsOwnWords) {
  const torch::NoGradGuard no_gradient;
  const auto encoder = clip_with({});
  const Tensor alone = encoder->embed_text(texts({{4, 5, 6}}, 3))[0];
  TextBatch padded = texts({{4, 5, 6}, {7, 8, 9, 10, 11, 12}});
  padded.ids[0][4] = 13;  // lies below padding
  const Tensor together = encoder->embed_text(padded);
  EXPECT_TRUE(torch::allclose(together[0], alone, 0, 1e-5));
  EXPECT_FALSE(torch::allclose(together[1], alone, 0, 1e-2));
  // text_length is 6: the seventh word is cut
  const TextBatch longer = texts({{7, 8, 9, 10, 11, 12, 13}}, 7);
  EXPECT_TRUE(torch::allclose(encoder->embed_text(longer)[0], together[1], 0, 1e-5));
}

TEST(Clip, EveryStemWorks) {
  const Tensor images = pictures(2);
  std::vector<std::size_t> counts;
  for (const char* stem : {"patch", "conv", "both"}) {
    const auto encoder = clip_with({{"stem", std::string(stem)}});
    EXPECT_FALSE(torch::allclose(encoder->encode(images).x[0], encoder->encode(images).x[1], 0, 1e-3)) << stem;
    counts.push_back(encoder->weights().size());
  }
  EXPECT_LT(counts[0], counts[1]);
  EXPECT_EQ(counts[2], counts[1] + 2);  // the Linear's weight and bias
}

TEST(Clip, StemTakesPatchesThatAreNoPowerOfTwo) {
  Choice choice = small_clip();
  BuildContext context = encoder_context(choice);
  context.wiring.image_size = 24;  // patches of 6 x 6: a halving, then 3 x 3 in one step
  const auto encoder = make<Encoder>(Kind::encoder, "clip", choice.overrides, context);
  EXPECT_EQ(encoder->encode(torch::zeros({2, 3, 24, 24})).x.sizes(), (std::vector<std::int64_t>{2, 16, 12}));
}

TEST(Clip, LearnsToTellEightPicturesApart) {
  for (const char* objective : {"siglip", "infonce"}) {
    const std::int64_t depth = objective == std::string("siglip") ? 0 : 1;
    const auto encoder = clip_with({{"objective", std::string(objective)}, {"reconstruction_layers", depth}});
    const Tensor images = pictures(8);
    const TextBatch words = texts({{4}, {5}, {6}, {7}, {8}, {9}, {10}, {11}}, 2);
    const auto [first, last] =
        train(*encoder, 60, 3e-3, [&](std::int64_t) { return losses_of(*encoder, images, words); });
    EXPECT_LT(last, 0.6 * first) << objective;
    EXPECT_THAT(unreached(*encoder), IsEmpty()) << objective;
    const torch::NoGradGuard no_gradient;
    const Tensor chosen =
        encoder->embed_image(encoder->encode(images)).matmul(encoder->embed_text(words).t()).argmax(1);
    EXPECT_TRUE(torch::equal(chosen, torch::arange(8))) << objective;
  }
}

TEST(Clip, WithoutReconstructionHasNoHeadForIt) {
  const auto encoder = clip_with({{"reconstruction", false}});
  const auto losses = losses_of(*encoder, pictures(2), texts({{4}, {5}}));
  EXPECT_EQ(losses.size(), 1U);
  for (const NamedTensor& weight : encoder->weights()) EXPECT_FALSE(weight.name.starts_with("pixels")) << weight.name;
  EXPECT_EQ(losses_of(*clip_with({}), pictures(2), texts({{4}, {5}}))[1].name, "reconstruction");
}

// As a step leaves it beyond the limit, the scale is put back to it and has a gradient there.
TEST(Clip, TheScaleComesBackFromItsLimit) {
  const auto encoder = clip_with({{"initial_scale", 100.0}});
  Generator generator = Generator::for_rows(0, 0, 4);
  for (const NamedTensor& weight : encoder->weights()) {
    if (weight.name != "log_scale") continue;
    {
      const torch::NoGradGuard no_gradient;
      weight.value.add_(1);  // as a step of the optimiser would
    }
    encoder->after_step(generator);
    EXPECT_NEAR(weight.value.item<double>(), std::log(100.0), 1e-5);
    losses_of(*encoder, pictures(4), texts({{4}, {5}, {6}, {7}}))[0].sum.backward();
    ASSERT_TRUE(weight.value.grad().defined());
    EXPECT_GT(weight.value.grad().abs().item<double>(), 0);
  }
}

TEST(Clip, StartsFromTheScaleAndBiasOfTheRecipe) {
  const auto encoder = clip_with({{"initial_scale", 12.0}, {"initial_bias", -4.0}});
  EXPECT_NEAR(weight_of(*encoder, "log_scale"), std::log(12.0), 1e-6);
  EXPECT_NEAR(weight_of(*encoder, "bias"), -4.0, 1e-6);
}

TEST(Clip, NeedsAVocabulary) {
  const Choice choice = small_clip();
  BuildContext context = encoder_context(choice);
  context.vocabulary = 0;
  EXPECT_THROW(make<Encoder>(Kind::encoder, "clip", choice.overrides, context), Error);
}

}  // namespace
}  // namespace blip3u::testing
