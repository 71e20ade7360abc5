#include "easy_vqa/shapes.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "blip3u/error.h"
#include "easy_vqa/shape_pictures.h"

namespace blip3u::easy_vqa {

/// Found by GoogleTest beside the type alone.
static void PrintTo(ShapeProtocol protocol, std::ostream* output) { *output << static_cast<int>(protocol); }

namespace {

class BothProtocols : public testing::TestWithParam<ShapeProtocol> {};
INSTANTIATE_TEST_SUITE_P(Shapes, BothProtocols, testing::Values(ShapeProtocol::fill_ratio, ShapeProtocol::coverage),
                         [](const auto& info) {
                           return info.param == ShapeProtocol::fill_ratio ? "FillRatio" : "Coverage";
                         });

TEST_P(BothProtocols, ReadAllColoursShapesSizesAndPlaces) {
  std::mt19937 engine(1);
  std::uniform_real_distribution<double> side(14, 40), place(0, 1);
  int wrong = 0, all = 0;
  for (std::size_t colour = 0; colour < colours.size(); ++colour) {
    for (std::size_t shape = 0; shape < shapes.size(); ++shape) {
      for (int i = 0; i < 12; ++i) {
        Drawing drawing{.what = {colour, shape}, .centre_x = 0, .centre_y = 0, .width = side(engine), .height = 0};
        drawing.height = shape == 1 ? side(engine) : drawing.width;
        drawing.centre_x = drawing.width / 2 + place(engine) * (64 - drawing.width);
        drawing.centre_y = drawing.height / 2 + place(engine) * (64 - drawing.height);
        const auto reading = read_shape(draw(drawing), GetParam());
        ++all;
        if (reading.found != drawing.what) ++wrong;
      }
    }
  }
  // The fill ratio errs on small antialiased edges; the outline must not.
  EXPECT_LE(wrong, GetParam() == ShapeProtocol::coverage ? 0 : all / 20) << "of " << all;
}

TEST_P(BothProtocols, ReadNothingInAnEmptyPicture) {
  const auto reading = read_shape(at::full({3, 64, 64}, 0.8), GetParam());
  EXPECT_FALSE(reading.found);
  EXPECT_EQ(reading.reason, "no object");
}

TEST_P(BothProtocols, RefuseWhatIsNoPicture) { EXPECT_THROW(read_shape(at::zeros({64, 64}), GetParam()), Error); }

TEST(Coverage, ReadsSmallPictures) {
  for (std::size_t colour = 0; colour < colours.size(); ++colour) {
    for (std::size_t shape = 0; shape < shapes.size(); ++shape) {
      const Drawing drawing{.what = {colour, shape}, .centre_x = 14.7, .centre_y = 17.2, .width = 11, .height = 11};
      EXPECT_EQ(read_shape(draw(drawing, 32), ShapeProtocol::coverage).found, drawing.what) << to_text(drawing.what);
    }
  }
}

TEST(Coverage, BearsBlur) {
  const auto kernel = at::tensor({1.0F, 4.0F, 6.0F, 4.0F, 1.0F}) / 16;
  const auto filter = at::outer(kernel, kernel).expand({3, 1, 5, 5});
  const std::vector<std::int64_t> one = {1, 1}, none = {0, 0};
  for (std::size_t shape = 0; shape < shapes.size(); ++shape) {
    for (const double side : {12.0, 16.5, 24.0}) {
      const Drawing drawing{.what = {6, shape}, .centre_x = 30.2, .centre_y = 25.7, .width = side, .height = side};
      auto blurred = at::constant_pad_nd(draw(drawing).unsqueeze(0), {2, 2, 2, 2}, 0.85);
      blurred = at::conv2d(blurred, filter, at::Tensor(), one, none, one, 3)[0];
      EXPECT_EQ(read_shape(blurred, ShapeProtocol::coverage).found, drawing.what) << to_text(drawing.what) << side;
    }
  }
}

TEST(Coverage, BearsMildNoise) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(3);
  for (std::size_t shape = 0; shape < shapes.size(); ++shape) {
    const ColouredShape what{2, shape};
    const auto noisy = (draw(what) + 0.05 * at::randn({3, 64, 64}, generator)).clamp(-1, 1);
    EXPECT_EQ(read_shape(noisy, ShapeProtocol::coverage).found, what) << to_text(what);
  }
}

TEST(Coverage, RejectsNoise) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(4);
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(read_shape(at::rand({3, 64, 64}, generator) * 2 - 1, ShapeProtocol::coverage).found);
    const auto speckled = at::where(at::rand({64, 64}, generator) < 0.05, -1.0, 0.8).expand({3, 64, 64});
    EXPECT_FALSE(read_shape(speckled, ShapeProtocol::coverage).found);
  }
}

TEST(Coverage, RejectsTwoObjects) {
  auto left = draw({.what = {0, 0}, .centre_x = 16, .centre_y = 32, .width = 20, .height = 20});
  const auto right = draw({.what = {0, 0}, .centre_x = 48, .centre_y = 32, .width = 20, .height = 20});
  const auto reading = read_shape(at::min(left, right), ShapeProtocol::coverage);
  EXPECT_FALSE(reading.found);
  EXPECT_THAT(reading.reason, testing::HasSubstr("scattered"));
}

TEST(Coverage, RejectsWhatHasNoShape) {  // an L
  auto picture = at::full({3, 64, 64}, 0.8);
  picture.slice(1, 10, 54).slice(2, 10, 18).fill_(-1);
  picture.slice(1, 46, 54).slice(2, 10, 54).fill_(-1);
  const auto reading = read_shape(picture, ShapeProtocol::coverage);
  EXPECT_FALSE(reading.found);
  EXPECT_THAT(reading.reason, testing::HasSubstr("no shape fits"));
}

TEST(Words, AreParsedFromPrompts) {
  EXPECT_EQ(parse_coloured_shape("a red triangle"), (ColouredShape{0, 2}));
  EXPECT_EQ(parse_coloured_shape("Gray circle."), (ColouredShape{7, 0}));
  EXPECT_FALSE(parse_coloured_shape("a red shape"));
  EXPECT_FALSE(parse_coloured_shape("a red or blue circle"));
  EXPECT_FALSE(parse_coloured_shape("a reddish circle"));
  EXPECT_FALSE(parse_coloured_shape(""));
}

TEST(Words, NameProtocols) {
  EXPECT_EQ(shape_protocol("shapes@1"), ShapeProtocol::fill_ratio);
  EXPECT_EQ(shape_protocol("shapes@2"), ShapeProtocol::coverage);
  EXPECT_THROW(shape_protocol("shapes@3"), Error);
}

}  // namespace
}  // namespace blip3u::easy_vqa
