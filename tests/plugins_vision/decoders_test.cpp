// What every decoder with weights promises, and what their checks say.
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "layers/positions.h"
#include "layers/reconstruction.h"
#include "plugins_vision/support.h"

namespace blip3u::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

const Overrides small_transformer{{"width", std::int64_t{32}}, {"layers", std::int64_t{1}}, {"heads", std::int64_t{2}}};

Choice transformer(const std::string& name, const Overrides& more, const std::string& label) {
  Choice choice{name, small_transformer, label};
  choice.overrides.insert(more.begin(), more.end());
  return choice;
}

class EveryDecoder : public ::testing::TestWithParam<Choice> {
 protected:
  /// One after a few steps, so that nothing that starts at zero hides an error.
  static std::unique_ptr<Decoder> trained(std::int64_t steps = 6) {
    auto decoder = make_decoder(GetParam());
    train(*decoder, steps, 3e-3, [&](std::int64_t step) { return losses(*decoder, step); });
    return decoder;
  }

  static std::vector<Loss> losses(Decoder& decoder, std::int64_t step) {
    Generator generator = Generator::for_rows(static_cast<std::uint64_t>(step), 0, 8);
    return decoder.loss({{random_features(8), {}}, pictures(8), generator});
  }
};

TEST_P(EveryDecoder, MakesImagesInRange) {
  const torch::NoGradGuard no_gradient;
  const auto decoder = make_decoder(GetParam());
  Generator generator = Generator::for_rows(0, 0, 3);
  const Tensor images = decode(*decoder, {50 * random_features(3), {}}, generator);
  EXPECT_EQ(images.sizes(), (std::vector<std::int64_t>{3, 3, 16, 16}));
  EXPECT_EQ(images.scalar_type(), torch::kFloat);
  EXPECT_LE(images.abs().max().item<double>(), 1);
}

TEST_P(EveryDecoder, RowsDependOnTheirFeaturesAndGeneratorAlone) {
  const auto decoder = trained();
  const torch::NoGradGuard no_gradient;
  const Tensor features = random_features(4), copy = features.clone();
  Generator together = Generator::for_rows(9, 0, 4);
  const Tensor images = decode(*decoder, {features, {}}, together);
  EXPECT_TRUE(torch::equal(features, copy));
  for (std::int64_t i = 0; i < 4; ++i) {
    Generator alone = Generator::for_rows(9, i, 1);
    EXPECT_TRUE(torch::allclose(decode(*decoder, {features.slice(0, i, i + 1), {}}, alone)[0], images[i], 0, 1e-5));
  }
  Generator again = Generator::for_rows(9, 0, 4);
  EXPECT_TRUE(torch::equal(decode(*decoder, {features, {}}, again), images));
  Generator other_features = Generator::for_rows(9, 0, 4);
  EXPECT_FALSE(torch::allclose(decode(*decoder, {features.flip(0), {}}, other_features), images, 0, 1e-4));
}

TEST_P(EveryDecoder, OnlyUnclipReadsTheGenerator) {
  const auto decoder = trained();
  const torch::NoGradGuard no_gradient;
  const Visual features{random_features(2), {}};
  Generator one = Generator::for_rows(1, 0, 2), other = Generator::for_rows(2, 0, 2);
  EXPECT_EQ(torch::allclose(decode(*decoder, features, one), decode(*decoder, features, other), 0, 1e-6),
            GetParam().name != "unclip");
}

TEST_P(EveryDecoder, LearnsEightPicturesAndEveryWeightTakesPart) {
  Choice choice = GetParam();
  choice.overrides["feature_noise"] = 0.0;
  const auto decoder = make_decoder(choice);
  const auto [first, last] = train(*decoder, 60, 3e-3, [&](std::int64_t step) { return losses(*decoder, step); });
  EXPECT_LT(last, 0.7 * first);
  EXPECT_THAT(unreached(*decoder), IsEmpty());
}

TEST_P(EveryDecoder, EqualGeneratorsGiveEqualLosses) {
  for (const double noise : {0.0, 0.5}) {
    Choice choice = GetParam();
    choice.overrides["feature_noise"] = noise;
    const auto decoder = make_decoder(choice);
    const torch::NoGradGuard no_gradient;
    const auto loss = [&](std::int64_t step) { return total(losses(*decoder, step)).item<double>(); };
    EXPECT_EQ(loss(1), loss(1));
    EXPECT_EQ(loss(1) == loss(2), noise == 0 && choice.name != "unclip");
  }
}

INSTANTIATE_TEST_SUITE_P(
    Vision, EveryDecoder,
    ::testing::Values(
        Choice{"vae", {{"width", std::int64_t{32}}}, "vae"}, transformer("patch_decoder", {}, "patch_decoder"),
        transformer("patch_decoder", {{"refine_width", std::int64_t{8}}}, "patch_decoder_refined"),
        transformer("patch_decoder",
                    {{"split", std::int64_t{2}}, {"head_width", std::int64_t{0}}, {"positions", std::string("random")}},
                    "patch_decoder_split"),
        transformer("unclip", {{"steps", std::int64_t{4}}}, "unclip"),
        transformer("unclip", {{"grid", std::int64_t{8}}, {"steps", std::int64_t{4}}}, "unclip_fine")),
    label_of);

TEST(Unclip, TellsItsStepsAndStopsWhenTold) {
  const torch::NoGradGuard no_gradient;
  const auto decoder = make_decoder(transformer("unclip", {{"steps", std::int64_t{4}}}, "unclip"));
  Generator noise = Generator::for_rows(1, 0, 2);
  std::int64_t done = 0;
  decode(*decoder, {random_features(2), {}}, noise, [&](const Step& step) { return (done = step.done) <= 4; });
  EXPECT_EQ(done, 4);
  const Watch stop = [&](const Step& step) { return (done = step.done) < 2; };
  EXPECT_THROW(decode(*decoder, {random_features(2), {}}, noise, stop), Cancelled);
  EXPECT_EQ(done, 2);
}

TEST(Reconstruction, AddsAbsoluteAndSquaredError) {
  const Loss loss = layers::reconstruction_loss(torch::tensor({0.5F, -1.0F}), torch::tensor({0.0F, 1.0F}), {3.0, 0.0});
  EXPECT_EQ(loss.name, "reconstruction");
  EXPECT_FLOAT_EQ(loss.sum.item<float>(), 0.5F + 2.0F + 3.0F * (0.25F + 4.0F));
  EXPECT_EQ(loss.count.item<float>(), 2);
}

TEST(Reconstruction, CountsSquaresByTheirDetail) {
  Tensor images = torch::zeros({1, 3, 16, 16});
  images.slice(1, 1, 2).slice(2, 8, 12).slice(3, 0, 8) = 1;  // half of the lower left square, in one channel
  const Loss loss = layers::reconstruction_loss(images + 0.1, images, {0.0, 6.0});
  EXPECT_NEAR(loss.sum.item<double>(), 0.1 * 3 * (3 * 64 + 64 * (1 + 6 * 0.5)), 1e-3);  // deviation of 0 and 1: 0.5
  EXPECT_EQ(loss.count.item<double>(), 3 * 256);
}

TEST(Positions, AreSinusoidsOfRowAndColumn) {
  const Tensor table = layers::sin_cos_positions(3, 8);  // two waves each
  ASSERT_EQ(table.sizes(), (std::vector<std::int64_t>{9, 8}));
  const double quarter = std::acos(0.0);
  for (int row = 0; row < 3; ++row) {
    for (int column = 0; column < 3; ++column) {
      const double expected[] = {std::sin(quarter * row),    std::sin(quarter / 100 * row),
                                 std::cos(quarter * row),    std::cos(quarter / 100 * row),
                                 std::sin(quarter * column), std::sin(quarter / 100 * column),
                                 std::cos(quarter * column), std::cos(quarter / 100 * column)};
      for (std::int64_t i = 0; i < 8; ++i) {
        EXPECT_NEAR(table[row * 3 + column][i].item<double>(), expected[i], 1e-6);
      }
    }
  }
  EXPECT_EQ(layers::sin_cos_positions(2, 6).sizes(), (std::vector<std::int64_t>{4, 6}));
}

TEST(FeatureNoise, HasADeviationPerRowUpToTheLargest) {
  Generator generator = Generator::for_rows(4, 0, 40);
  const Tensor features = torch::full({40, 50, 20}, 2.0);
  const Tensor deviation = (layers::disturbed(features, 0.5, generator) - features).flatten(1).std(1);
  EXPECT_LT(deviation.max().item<double>(), 0.5 * 1.1);
  EXPECT_GT(deviation.max().item<double>(), 0.4);
  EXPECT_LT(deviation.min().item<double>(), 0.1);
}

Layout layout(std::int64_t tokens, std::int64_t width, std::int64_t codebook = 0) {
  Layout result;
  result.tokens = tokens;
  result.width = width;
  result.codebook = codebook;
  return result;
}

TEST(DecoderChecks, SayWhatDoesNotFit) {
  Wiring wiring;
  wiring.image_size = 64;
  wiring.features = layout(64, 192);
  const auto said = [&](const char* name, const Overrides& overrides = {}) {
    return problems(Kind::decoder, name, overrides, wiring);
  };
  for (const char* name : {"vae", "patch_decoder", "unclip", "pixels"}) {
    EXPECT_EQ(said(name), "") << name;
    EXPECT_EQ(said(name, {{"tokens", std::int64_t{64}}}), "") << name;
    EXPECT_THAT(said(name, {{"tokens", std::int64_t{16}}}),
                StartsWith("tokens: it decodes 16 tokens, but the encoder makes 64; set tokens to 64"));
  }
  EXPECT_THAT(said("patch_decoder", {{"heads", std::int64_t{5}}}), StartsWith("heads: 5 heads do not divide"));
  EXPECT_THAT(said("unclip", {{"heads", std::int64_t{5}}}), StartsWith("heads: 5 heads do not divide"));
  EXPECT_EQ(said("patch_decoder", {{"split", std::int64_t{2}}}), "");
  EXPECT_THAT(said("patch_decoder", {{"split", std::int64_t{3}}}), StartsWith("split: a grid of 24 x 24 does not"));
  EXPECT_EQ(said("unclip", {{"grid", std::int64_t{16}}}), "");
  EXPECT_THAT(said("unclip", {{"grid", std::int64_t{12}}}), HasSubstr("grid: 12 x 12 patches cannot share 8 x 8"));
  EXPECT_THAT(said("unclip", {{"grid", std::int64_t{24}}}), HasSubstr("grid: a grid of 24 x 24 does not divide"));

  wiring.features.width = 32;
  EXPECT_EQ(said("patch_decoder"), "");
  EXPECT_THAT(said("pixels"),
              HasSubstr("takes 192 numbers a token (patches of 8 x 8 pixels), but the encoder makes 32"));

  for (const char* name : {"vae", "patch_decoder", "unclip", "pixels"}) {
    wiring.features = layout(60, 192);
    EXPECT_THAT(said(name), HasSubstr("needs a square grid of tokens, but the encoder makes 60")) << name;
    wiring.features = layout(49, 192);
    EXPECT_THAT(said(name), HasSubstr("a grid of 7 x 7 does not divide")) << name;
    wiring.features = layout(64, 192, 100);
    EXPECT_THAT(said(name), HasSubstr("the encoder makes codes")) << name;
    wiring.features = {};
    EXPECT_THAT(said(name), HasSubstr("the pipeline has no encoder")) << name;
  }
}

}  // namespace
}  // namespace blip3u::testing
