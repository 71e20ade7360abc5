// The scorer reads what the renderer draws, and refuses what it does not.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "blip3u/error.h"
#include "blip3u/image.h"
#include "scenes/masks.h"
#include "scenes/mixtures.h"
#include "scenes/placing.h"
#include "scenes/reading.h"
#include "scenes/render.h"
#include "scenes/rules.h"

namespace blip3u::scenes {
namespace {

using testing::HasSubstr;

Tensor with_noise(const Tensor& picture, double deviation, Engine& engine) {
  Tensor noise = at::empty(picture.sizes(), at::kFloat);
  std::normal_distribution<float> normal(0, static_cast<float>(deviation));
  std::generate_n(noise.data_ptr<float>(), noise.numel(), [&] { return normal(engine); });
  return (picture.to(at::kFloat) + noise).round().clamp(0, 255).to(at::kByte);
}

/// Paints pixels within a box in shares of the side.
Tensor painted(Tensor picture, double left, double top, double right, double bottom, const Colour& colour) {
  const auto side = static_cast<double>(picture.size(1));
  const auto pixel = [&](double share) { return static_cast<std::int64_t>(std::lround(share * side)); };
  for (std::int64_t channel = 0; channel < 3; ++channel) {
    picture[channel]
        .slice(0, pixel(top), pixel(bottom))
        .slice(1, pixel(left), pixel(right))
        .fill_(colour[static_cast<std::size_t>(channel)]);
  }
  return picture;
}

class Sides : public testing::TestWithParam<std::int64_t> {};
INSTANTIATE_TEST_SUITE_P(Reading, Sides, testing::Values(32, 48, 64));

TEST_P(Sides, EveryShapeColourSizeAndMoodIsRead) {
  Engine engine(1);
  for (std::size_t mood = 0; mood < moods.size(); ++mood) {
    for (std::size_t i = 0; i < shapes.size() * colours.size() * sizes.size(); ++i) {
      Object object{.shape = i % shapes.size()};
      object.colour = i / shapes.size() % colours.size();
      object.size = i / (shapes.size() * colours.size());
      const Scene scene{.mood = mood, .objects = {*placed(object, {}, engine)}};
      const Reading reading = read_scene(render(scene, GetParam()));
      EXPECT_TRUE(same_scene(scene, reading, GetParam(), 0.25)) << to_text(scene) << " read as " << reading.text();
    }
  }
}

TEST_P(Sides, ScenesOfUpToFourAreReadAlsoWithNoise) {
  Engine engine(2);
  for (std::int64_t i = 0; i < 150; ++i) {
    Description wanted;
    for (std::size_t shape = 0; shape < static_cast<std::size_t>(i) % 5; ++shape)
      wanted.phrases.push_back({.shape = shape});
    const Scene scene = realise(wanted, engine);
    const Tensor picture = render(scene, GetParam());
    EXPECT_TRUE(same_scene(scene, read_scene(picture), GetParam(), 0.5)) << to_text(scene);
    EXPECT_TRUE(same_scene(scene, read_scene(from_bytes(picture)), GetParam(), 0.5)) << "float32";
    const Reading noisy = read_scene(with_noise(picture, 8, engine));
    EXPECT_TRUE(same_scene(scene, noisy, GetParam(), 1)) << to_text(scene) << " read as " << noisy.text();
  }
}

TEST_P(Sides, BlurredScenesAreRead) {
  Engine engine(3);
  for (int i = 0; i < 60; ++i) {
    const Scene scene =
        realise({.phrases = {{.shape = pick(engine, 5)}, {.count = 2, .colour = 3, .shape = 1}}}, engine);
    const Tensor small = at::avg_pool2d(from_bytes(render(scene, 2 * GetParam())).unsqueeze(0), 3, 1, 1, false, false);
    const Reading reading = read_scene(resize_image(small.squeeze(0), GetParam()));
    EXPECT_TRUE(same_scene(scene, reading, GetParam(), 1)) << to_text(scene) << " read as " << reading.text();
  }
}

TEST_P(Sides, DeformedShapesAreRefused) {
  for (std::size_t shape = 0; shape < shapes.size(); ++shape) {
    for (std::size_t size = 0; size < sizes.size(); ++size) {
      const Object object{.shape = shape, .colour = 4, .size = size, .x = 0.5, .y = 0.5};
      const double radius = radii[size];
      const Tensor whole = render({.mood = 0, .objects = {object}}, GetParam());
      const auto dented =
          painted(whole.clone(), 0.5, 0.5 - 2 * radius, 0.5 + 2 * radius, 0.5 + 0.1 * radius, grounds[0]);
      const auto halved = painted(whole.clone(), 0.5, 0, 1, 1, grounds[0]);
      const auto faded = ((whole.to(at::kFloat) + render({.mood = 0, .objects = {}}, GetParam())) / 2).to(at::kByte);
      Object beside = object;
      beside.x += 0.7 * radius;
      beside.y += 0.2 * radius;
      const auto doubled = render({.mood = 0, .objects = {object, beside}}, GetParam());
      for (const Tensor& picture : {dented, halved, faded, doubled}) {
        const Reading reading = read_scene(picture);
        EXPECT_FALSE(reading.clear()) << sizes[size] << " " << shapes[shape] << ": " << reading.text();
      }
    }
  }
}

TEST_P(Sides, TouchingThingsOfTwoColoursAreTwo) {
  const Scene scene{.mood = 2,
                    .objects = {{.shape = 1, .colour = 0, .size = 1, .x = 0.5 - radii[1] * 0.88, .y = 0.4},
                                {.shape = 1, .colour = 4, .size = 1, .x = 0.5 + radii[1] * 0.88, .y = 0.5}}};
  const Reading reading = read_scene(render(scene, GetParam()));
  EXPECT_TRUE(same_scene(scene, reading, GetParam(), 0.75)) << reading.text();
}

TEST_P(Sides, ColoursBetweenTwoAndStrangeThingsAreRefused) {
  const Tensor plain = render({.mood = 2, .objects = {}}, GetParam());
  for (const Colour& colour : {Colour{233, 87, 30}, Colour{85, 70, 200}, Colour{120, 120, 120}, Colour{0, 0, 0}}) {
    const Reading reading = read_scene(painted(plain.clone(), 0.4, 0.4, 0.7, 0.7, colour));
    EXPECT_FALSE(reading.clear()) << reading.text();
    EXPECT_TRUE(reading.objects.empty());
  }
  const Reading grey = read_scene(at::full({3, GetParam(), GetParam()}, 128, at::kByte));
  EXPECT_FALSE(grey.mood.has_value());
  EXPECT_THAT(grey.text(), HasSubstr("no ground"));
}

TEST(Reading, SaysWhatItCouldNotRead) {
  const Scene scene{.mood = 1, .objects = {{.shape = 0, .colour = 0, .size = 0, .x = 0.25, .y = 0.25}}};
  const Reading reading = read_scene(painted(render(scene, 64), 0.6, 0.5, 0.95, 0.7, palette[2]));
  EXPECT_EQ(reading.objects.size(), 1U) << "the circle is read";
  EXPECT_THAT(reading.text(), HasSubstr("something yellow at 0.7"));
}

TEST(Reading, RefusesOtherTensors) {
  EXPECT_THROW(read_scene(at::zeros({3, 32, 33}, at::kByte)), Error);
  EXPECT_THROW(read_scene(at::zeros({1, 32, 32}, at::kByte)), Error);
  EXPECT_THROW(read_scene(at::zeros({3, 128, 128}, at::kByte)), Error);
}

// Reference values: Ottosson's own table of XYZ-derived OKLab values of sRGB primaries (white, red, green, blue).
TEST(Mixtures, OklabIsOttossons) {
  const auto expect = [](const Pixel& pixel, const Lab& wanted) {
    for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(to_lab(pixel)[i], wanted[i], 1e-3);
  };
  expect({255, 255, 255}, {1, 0, 0});
  expect({255, 0, 0}, {0.62796F, 0.22486F, 0.12585F});
  expect({0, 255, 0}, {0.86644F, -0.23389F, 0.17950F});
  expect({0, 0, 255}, {0.45201F, -0.03246F, -0.31153F});
}

TEST(Masks, AreTheRenderers) {
  const auto masks = Masks::of(40);
  const Object object{.shape = 3, .colour = 0, .size = 1, .x = (20 + 3.0 / 8) / 40, .y = (19 + 5.0 / 8) / 40};
  const std::vector<float> coverage = coverage_of(object, 40);
  const Mask& mask = masks->at(3, 1, 0, 3, 5);
  const std::int64_t width = 2 * mask.half + 1;
  float area = 0;
  for (const float share : coverage) area += share;
  EXPECT_NEAR(mask.area, area, 1e-3);
  for (std::int64_t row = 0; row < width; ++row) {
    for (std::int64_t column = 0; column < width; ++column) {
      const std::int64_t place = (19 - mask.half + row) * 40 + 20 - mask.half + column;
      EXPECT_EQ(mask.shares[static_cast<std::size_t>(row * width + column)], coverage[static_cast<std::size_t>(place)]);
    }
  }
}

}  // namespace
}  // namespace blip3u::scenes
