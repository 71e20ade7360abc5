#include "model/sources.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace blip3u {
namespace {

TEST(Sources, GiveThePicturesOfEachRowInOrder) {
  const Visual all{.x = at::arange(4).view({4, 1, 1}).expand({4, 2, 3}).to(at::kFloat), .codes = {}};
  const auto sources = source_pictures(all, {{3, 1}, {}, {2}});
  ASSERT_EQ(sources.size(), 2U);
  EXPECT_TRUE(at::equal(sources[0].valid, at::tensor({1, 1, 0, 0, 1, 1}).view({3, 2}).to(at::kBool)));
  EXPECT_EQ(sources[0].x[0][0][0].item<float>(), 3);
  EXPECT_EQ(sources[0].x[2][0][0].item<float>(), 2);
  EXPECT_TRUE(at::equal(sources[1].valid, at::tensor({1, 1, 0, 0, 0, 0}).view({3, 2}).to(at::kBool)));
  EXPECT_EQ(sources[1].x[0][1][2].item<float>(), 1);
}

TEST(Sources, HaveNoMaskWhereEveryRowHasAPicture) {
  const Visual all{.x = {}, .codes = at::arange(6).view({3, 2, 1})};
  const auto sources = source_pictures(all, {{2}, {0}});
  ASSERT_EQ(sources.size(), 1U);
  EXPECT_FALSE(sources[0].valid.defined());
  EXPECT_TRUE(at::equal(sources[0].codes, at::tensor({4, 5, 0, 1}).view({2, 2, 1})));
  EXPECT_TRUE(source_pictures(all, {{}, {}}).empty());
}

TEST(Sources, KeepTheMaskOfShorterPictures) {
  const Visual all{.x = at::zeros({2, 3, 1}),
                   .codes = {},
                   .valid = at::tensor({1, 1, 0, 1, 1, 1}).view({2, 3}).to(at::kBool),
                   .grids = {{1, 2}, {1, 3}}};
  const auto sources = source_pictures(all, {{1}, {0}});
  ASSERT_EQ(sources.size(), 1U);
  EXPECT_TRUE(at::equal(sources[0].valid, at::tensor({1, 1, 1, 1, 1, 0}).view({2, 3}).to(at::kBool)));
  EXPECT_EQ(sources[0].grids, (std::vector<Grid>{{1, 3}, {1, 2}}));
}

TEST(Sources, OfUnlikeLengthsAreJoinedWithPadding) {
  const Visual first{.x = at::ones({1, 2, 3}), .codes = {}, .grids = {{1, 2}}};
  const Visual second{.x = at::full({2, 3, 3}, 2.0), .codes = {}, .grids = {{1, 3}, {3, 1}}};
  const Visual both = joined(first, second);
  EXPECT_TRUE(at::equal(both.x.sum(2), at::tensor({3., 3., 0., 6., 6., 6., 6., 6., 6.}).view({3, 3}).to(at::kFloat)));
  EXPECT_TRUE(at::equal(both.valid, at::tensor({1, 1, 0, 1, 1, 1, 1, 1, 1}).view({3, 3}).to(at::kBool)));
  EXPECT_EQ(both.grids, (std::vector<Grid>{{1, 2}, {1, 3}, {3, 1}}));
  EXPECT_FALSE(joined(second, second).valid.defined());
}

}  // namespace
}  // namespace blip3u
