#include "report/sheet.h"

#include <vector>

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "blip3u/error.h"

namespace blip3u::testing {
namespace {

TEST(Sheet, PicturesAreInTheirBoxesAndWhiteIsBetween) {
  const std::vector<Tensor> pictures{at::full({3, 5, 7}, -1.0), at::full({3, 6, 4}, -0.5), at::full({3, 2, 3}, 0.25)};
  const Sheet sheet = lay_out(pictures, 2);
  // Two columns and rows of cells 7 wide and 6 high, with 2 pixels around each.
  ASSERT_EQ(sheet.image.sizes(), at::IntArrayRef({3, 2 + 2 * (6 + 2), 2 + 2 * (7 + 2)}));
  ASSERT_EQ(sheet.boxes.size(), 3u);
  const Tensor rest = sheet.image.clone();
  const std::int64_t places[3][2] = {{2, 2}, {11, 2}, {2, 10}};
  for (std::size_t i = 0; i < 3; ++i) {
    const Box& box = sheet.boxes[i];
    EXPECT_EQ(box.x, places[i][0]);
    EXPECT_EQ(box.y, places[i][1]);
    EXPECT_TRUE(at::equal(sheet.image.narrow(1, box.y, box.height).narrow(2, box.x, box.width), pictures[i]));
    rest.narrow(1, box.y, box.height).narrow(2, box.x, box.width).fill_(1);
  }
  EXPECT_TRUE(at::equal(rest, at::ones_like(rest)));
}

TEST(Sheet, LeavesOutTheRowsThatCannotBeReadBack) {
  const Sheet sheet = lay_out(std::vector<Tensor>(40, at::zeros({3, 1000, 10})), 1);
  EXPECT_EQ(sheet.image.size(1), 2 + 16 * (1000 + 2));  // at most 16384
  EXPECT_EQ(sheet.boxes.size(), 16u);
}

TEST(Sheet, BadInput) {
  EXPECT_THROW(lay_out({at::zeros({1, 4, 4})}, 2), Error);
  EXPECT_THROW(lay_out({Tensor()}, 2), Error);
  EXPECT_THROW(lay_out({}, 0), Error);
  EXPECT_TRUE(lay_out({}, 3).boxes.empty());
}

}  // namespace
}  // namespace blip3u::testing
