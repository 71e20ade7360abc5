// What every encoder promises, and the particulars of vae and pixels.
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "layers/patches.h"
#include "plugins_vision/support.h"

namespace blip3u::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::StartsWith;

class EveryEncoder : public ::testing::TestWithParam<Choice> {};

TEST_P(EveryEncoder, MakesWhatItDeclares) {
  const auto encoder = make_encoder(GetParam());
  const Layout wired = encoder_context(GetParam()).wiring.features;
  EXPECT_EQ(encoder->layout(), wired);
  const Tensor features = encoder->encode(pictures(3)).x;
  EXPECT_EQ(features.sizes(), (std::vector<std::int64_t>{3, wired.tokens, wired.width}));
  EXPECT_EQ(features.scalar_type(), torch::kFloat);
}

TEST_P(EveryEncoder, RowsAreIndependentAndTheInputIsLeftAlone) {
  const torch::NoGradGuard no_gradient;
  const auto encoder = make_encoder(GetParam());
  const Tensor images = pictures(5), copy = images.clone();
  const Tensor together = encoder->encode(images).x;
  EXPECT_TRUE(torch::equal(images, copy));
  for (std::int64_t i = 0; i < 5; ++i) {
    EXPECT_TRUE(torch::allclose(encoder->encode(images.slice(0, i, i + 1)).x[0], together[i], 0, 1e-5));
  }
  EXPECT_FALSE(torch::allclose(together[0], together[1], 0, 1e-3));
}

TEST_P(EveryEncoder, EqualSeedsMakeEqualEncoders) {
  const torch::NoGradGuard no_gradient;
  const Tensor images = pictures(2);
  EXPECT_TRUE(torch::equal(make_encoder(GetParam())->encode(images).x, make_encoder(GetParam())->encode(images).x));
}

INSTANTIATE_TEST_SUITE_P(Vision, EveryEncoder,
                         ::testing::Values(small_clip(), small_vae(),
                                           Choice{"pixels", {{"grid", std::int64_t{4}}}, "pixels"}),
                         label_of);

TEST(Patches, AreInReadingOrderChannelByChannel) {
  const Tensor images = torch::arange(2 * 3 * 8 * 8, torch::kFloat).view({2, 3, 8, 8});
  const Tensor patches = layers::patchify(images, 2);
  ASSERT_EQ(patches.sizes(), (std::vector<std::int64_t>{2, 16, 12}));
  for (std::int64_t y = 0; y < 8; ++y) {
    for (std::int64_t x = 0; x < 8; ++x) {
      for (std::int64_t channel = 0; channel < 3; ++channel) {
        const auto from_patches = patches[1][(y / 2) * 4 + x / 2][channel * 4 + (y % 2) * 2 + x % 2];
        EXPECT_EQ(from_patches.item<float>(), images[1][channel][y][x].item<float>());
      }
    }
  }
}

TEST(Pixels, DecodingGivesTheImageBackExactly) {
  for (const std::int64_t grid : {1, 4, 16}) {
    const Choice choice{"pixels", {{"grid", grid}}, ""};
    const auto encoder = make_encoder(choice);
    const auto decoder = make<Decoder>(Kind::decoder, "pixels", {}, encoder_context(choice));
    const Tensor images = Generator::for_rows(1, 0, 3).uniform({3, 16, 16}, at::kCPU) * 2 - 1;
    Generator generator = Generator::for_rows(0, 0, 3);
    const Visual seen = encoder->encode(images);
    EXPECT_TRUE(torch::equal(decoder->decode({.visual = seen, .noise = generator}), images)) << grid;
    EXPECT_THAT(encoder->weights(), IsEmpty());
  }
}

TEST(Vae, DivergenceIsTheClosedFormAndEncodingGivesTheMean) {
  Choice choice = small_vae();
  choice.overrides["kl"] = 0.25;
  const auto encoder = make_encoder(choice);
  std::vector<Tensor> encoding;  // the weights of the encoding half; the last two are the moments' convolution
  for (const NamedTensor& weight : encoder->weights()) {
    if (weight.name.starts_with("encoder.")) encoding.push_back(weight.value);
  }
  const double mean = 0.7, log_variance = -1.3;
  {
    const torch::NoGradGuard no_gradient;
    encoding[encoding.size() - 2].zero_();
    encoding.back().slice(0, 0, 6).fill_(mean);
    encoding.back().slice(0, 6).fill_(log_variance);
  }
  const Tensor images = pictures(2);
  EXPECT_TRUE(torch::allclose(encoder->encode(images).x, torch::full({2, 16, 6}, mean)));
  Generator generator = Generator::for_rows(0, 0, 2);
  const auto losses = encoder->loss({images, texts({{4}, {5}})}, generator);
  ASSERT_EQ(losses.size(), 2U);
  EXPECT_EQ(losses[1].name, "kl");
  const double expected = 0.25 * 0.5 * (mean * mean + std::exp(log_variance) - 1 - log_variance);
  EXPECT_NEAR((losses[1].sum / losses[1].count).item<double>(), expected, 1e-6);
}

TEST(Vae, LearnsEightPicturesAndEveryWeightTakesPart) {
  Choice choice = small_vae();
  const auto encoder = make_encoder(choice);
  const Tensor images = pictures(8);
  const EncoderBatch batch{images, texts(std::vector<std::vector<std::int64_t>>(8))};
  const auto [first, last] = train(*encoder, 60, 3e-3, [&](std::int64_t step) {
    Generator generator = Generator::for_rows(static_cast<std::uint64_t>(step), 0, 8);
    return encoder->loss(batch, generator);
  });
  EXPECT_LT(last, 0.5 * first);
  EXPECT_THAT(unreached(*encoder), IsEmpty());
}

TEST(EncoderChecks, SayWhatDoesNotFit) {
  Wiring wiring;
  wiring.image_size = 64;
  const auto said = [&](const char* name, const Overrides& overrides) {
    return problems(Kind::encoder, name, overrides, wiring);
  };
  EXPECT_EQ(said("clip", {}), "");
  EXPECT_EQ(said("vae", {}), "");
  EXPECT_EQ(said("pixels", {}), "");
  EXPECT_THAT(said("clip", {{"grid", std::int64_t{7}}}), StartsWith("grid: a grid of 7 x 7 does not divide"));
  EXPECT_THAT(said("pixels", {{"grid", std::int64_t{7}}}), StartsWith("grid: a grid of 7 x 7 does not divide"));
  EXPECT_THAT(said("vae", {{"grid", std::int64_t{7}}}), StartsWith("grid: a grid of 7 x 7 does not divide"));
  EXPECT_THAT(said("clip", {{"heads", std::int64_t{5}}}), StartsWith("heads: 5 heads do not divide the width 96"));
  EXPECT_THAT(said("clip", {{"text_heads", std::int64_t{5}}}), StartsWith("text_heads: 5 heads do not divide"));
  const Overrides deep{{"reconstruction_layers", std::int64_t{1}}, {"reconstruction_heads", std::int64_t{5}}};
  EXPECT_THAT(said("clip", deep), StartsWith("reconstruction_heads: 5 heads do not divide"));
  wiring.image_size = 48;  // 48 / 4 = 12 is no power of two
  EXPECT_THAT(said("vae", {{"grid", std::int64_t{4}}}), StartsWith("grid: strided convolutions halve 48 x 48"));
  EXPECT_EQ(said("clip", {{"grid", std::int64_t{4}}}), "");  // its stem takes the 3 in one step
  wiring.image_size = 8;                                     // patches of one pixel cannot be halved
  EXPECT_THAT(said("vae", {}), StartsWith("grid: strided convolutions halve 8 x 8"));
  EXPECT_THAT(said("clip", {}), StartsWith("stem: strided convolutions cannot make tokens of single pixels"));
  EXPECT_EQ(said("clip", {{"stem", std::string("patch")}}), "");
}

}  // namespace
}  // namespace blip3u::testing
