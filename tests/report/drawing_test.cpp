#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include <ATen/ATen.h>

#include "blip3u/error.h"
#include "blip3u/image.h"
#include "report/grid.h"
#include "report/plot.h"

namespace blip3u {
namespace {

/// Pixels in a region that are nearer than `distance` (of 255, in each channel) to a colour.
std::int64_t count_near(const Tensor& region, double red, double green, double blue, double distance = 12) {
  const Tensor colour = at::tensor({red, green, blue}).view({3, 1, 1}) * 255;
  return (region.add(1).mul(127.5) - colour).abs().amax(0).lt(distance).sum().item<std::int64_t>();
}
std::int64_t not_white(const Tensor& region) { return region.lt(0.5).any(0).sum().item<std::int64_t>(); }

TEST(Grid, PicturesAndLabelsAreInPlace) {
  const Tensor red = at::tensor({1.0, -1.0, -1.0}, at::kFloat).view({3, 1, 1}).expand({3, 50, 50});
  const Tensor blue = at::tensor({-1.0, -1.0, 1.0}, at::kFloat).view({3, 1, 1}).expand({3, 50, 50});
  const Tensor sheet = decode_image(draw_grid({{red, "red square"}, {blue, "wrong", false}, {blue, ""}}, 2, 2), "grid");
  // Two columns and rows: margins of 14, pictures of 100, 36 for the label.
  ASSERT_EQ(sheet.sizes(), at::IntArrayRef({3, 14 + 2 * (100 + 36 + 14), 14 + 2 * (100 + 14)}));
  const auto region = [&](int x, int y, int width, int height) {
    return sheet.narrow(1, y, height).narrow(2, x, width);
  };
  EXPECT_EQ(count_near(region(14, 14, 100, 100), 1, 0, 0, 1), 100 * 100);
  EXPECT_EQ(count_near(region(128, 14, 100, 100), 0, 0, 1, 1), 100 * 100);
  EXPECT_EQ(count_near(region(14, 164, 100, 100), 0, 0, 1, 1), 100 * 100);
  EXPECT_GT(not_white(region(14, 116, 100, 34)), 40);  // a label
  EXPECT_EQ(count_near(region(14, 116, 100, 34), 0.76, 0.18, 0.16, 40), 0);
  EXPECT_GT(count_near(region(128, 116, 100, 34), 0.76, 0.18, 0.16, 40), 10);  // a red one
  EXPECT_EQ(not_white(region(14, 266, 100, 34)), 0);                           // none
}

TEST(Grid, EnlargesWithHardEdges) {
  const Tensor image = at::rand({3, 30, 40}).mul(2).sub(1);
  const Tensor sheet = decode_image(draw_grid({{image, "noise"}}, 4, 3), "grid");
  const Tensor shown = sheet.narrow(1, 14, 90).narrow(2, 14, 120);
  const Tensor expected = image.repeat_interleave(3, 1).repeat_interleave(3, 2);
  EXPECT_LT((shown - expected).abs().max().item<double>(), 1 / 127.0);
}

TEST(Grid, LongLabelsStayInTheirCell) {
  const Tensor white = at::ones({3, 100, 100});
  const Tensor sheet = decode_image(
      draw_grid({{white, std::string(400, 'W')}, {white, std::string("ä ö ü ", 9) + std::string(300, 'W')}}, 1, 1),
      "g");
  EXPECT_EQ(not_white(sheet.narrow(2, 0, 12)), 0);
  EXPECT_EQ(not_white(sheet.narrow(2, sheet.size(2) - 12, 12)), 0);
}

TEST(Grid, LeavesOutTheRowsThatDoNotFitASurface) {
  const std::string png = draw_grid(std::vector<GridCell>(40, {at::zeros({3, 1000, 10}), "tall"}), 1, 1);
  const int height = static_cast<unsigned char>(png[22]) * 256 + static_cast<unsigned char>(png[23]);
  EXPECT_EQ(height, 14 + 31 * (1000 + 36 + 14));  // at most 32767
}

TEST(Grid, BadInput) {
  EXPECT_THROW(draw_grid({{at::zeros({1, 4, 4}), "grey"}}, 2, 2), Error);
  EXPECT_THROW(draw_grid({}, 0, 2), Error);
  EXPECT_NO_THROW(decode_image(draw_grid(std::vector<GridCell>{}, 3, 2), "empty"));
}

Series curve(const std::string& name, double factor) {
  Series series{name, {}, {}};
  for (int step = 0; step <= 6000; step += 50) {
    series.x.push_back(step);
    series.y.push_back(factor * std::exp(-step / 1500.0) + 0.02 * (1 + std::sin(step / 90.0)) + 0.01);
  }
  return series;
}

TEST(Plot, LinesLegendAndAxes) {
  const std::vector<Series> series{curve("contrast", 3), curve("reconstruction", 0.4)};
  for (const bool logarithmic : {false, true}) {
    const Tensor chart = decode_image(plot_series("Loss of the encoder", series, logarithmic), "plot");
    ASSERT_EQ(chart.sizes(), at::IntArrayRef({3, 540, 960}));
    const Tensor area = chart.narrow(1, 84, 390);
    EXPECT_GT(count_near(area, 0.00, 0.45, 0.70), 400) << "first line";
    EXPECT_GT(count_near(area, 0.84, 0.37, 0.00), 400) << "second line";
    EXPECT_GT(not_white(chart.narrow(1, 10, 34)), 300) << "title";
    EXPECT_GT(not_white(chart.narrow(1, 50, 20)), 300) << "legend";
    EXPECT_GT(not_white(chart.narrow(1, 84, 390).narrow(2, 0, 70)), 50) << "labels of the values";
    EXPECT_GT(not_white(chart.narrow(1, 488, 20)), 50) << "labels of the steps";
  }
}

TEST(Plot, OddValues) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  EXPECT_NO_THROW(plot_series("", {{"none", {}, {}}}, true));
  EXPECT_NO_THROW(plot_series("", {}, false));
  EXPECT_NO_THROW(plot_series("", {{"one", {3}, {5}}}, true));
  EXPECT_NO_THROW(plot_series("", {{"flat", {1, 2}, {0, 0}}}, false));
  EXPECT_NO_THROW(plot_series("", {{"odd", {1, 2, 3, 4}, {nan, infinity, -1, 0}}}, true));
  EXPECT_NO_THROW(plot_series("", {{"huge", {1, 2}, {1e-300, 1e300}}}, true));
  EXPECT_THROW(plot_series("", {{"unequal", {1, 2}, {1}}}, true), Error);
  // A lone point is visible.
  const Tensor chart = decode_image(plot_series("", {{"one", {3}, {5}}}, false), "plot");
  EXPECT_GT(count_near(chart.narrow(1, 84, 390), 0.00, 0.45, 0.70, 60), 1);
}

TEST(Plot, WritesFiles) {
  const auto folder = std::filesystem::path(BLIP3U_BUILD_DIR) / "tests" / "drawings";
  std::filesystem::remove_all(folder);
  plot_series(folder / "loss.png", "Loss of the encoder", {curve("contrast", 3), curve("reconstruction", 0.4)}, true);
  plot_series(folder / "linear.png", "Loss of the encoder", {curve("contrast", 3), curve("reconstruction", 0.4)},
              false);
  std::vector<GridCell> cells;
  cells.reserve(8);
  for (int i = 0; i < 8; ++i) cells.push_back({at::full({3, 64, 64}, i / 4.0 - 1), "a turquoise triangle", i != 2});
  draw_grid(folder / "grid.png", cells, 4, 2);
  EXPECT_EQ(read_image(folder / "loss.png").size(2), 960);
  EXPECT_GT(read_image(folder / "grid.png").size(2), 4 * 128);
}

}  // namespace
}  // namespace blip3u
