#include "data/running_moments.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "blip3u/random.h"
#include "message_of.h"

namespace blip3u {
namespace {

using testing::HasSubstr;

TEST(RunningMoments, AreThoseOfAllRowsAtOnce) {
  // A mean far from 0 beside its deviation: sums of squares would cancel.
  const Tensor rows = Generator::for_rows(1, 0, 200).normal({3}, at::kCPU).to(at::kDouble) * 0.01 + 1e6;
  RunningMoments moments(3), other(3);
  moments.add(rows.narrow(0, 0, 1));
  moments.add(rows.narrow(0, 1, 99).reshape({9, 11, 3}));
  other.add(rows.narrow(0, 100, 100));
  moments.add(other);
  EXPECT_EQ(moments.count(), 200);
  EXPECT_TRUE(moments.mean().allclose(rows.mean(0), 1e-13, 0));
  EXPECT_TRUE(moments.deviation().allclose(rows.std(0, /*unbiased=*/false), 1e-7, 0));
}

TEST(RunningMoments, GoOnFromTheirState) {
  const Tensor rows = Generator::for_rows(2, 0, 20).normal({4}, at::kCPU);
  RunningMoments whole(4), first(4), second(4);
  whole.add(rows.narrow(0, 0, 7));
  first.add(rows.narrow(0, 0, 7));
  second.restore(first.state());
  whole.add(rows.narrow(0, 7, 13));
  second.add(rows.narrow(0, 7, 13));
  EXPECT_TRUE(second.mean().equal(whole.mean()));
  EXPECT_TRUE(second.deviation().equal(whole.deviation()));
  EXPECT_EQ(second.count(), 20);
  EXPECT_THAT(message_of([] { RunningMoments(3).restore(RunningMoments(4).state()); }), HasSubstr("'mean'"));
}

TEST(RunningMoments, BeginWithNothing) {
  RunningMoments moments(2);
  EXPECT_TRUE(moments.mean().equal(at::zeros({2}, at::kDouble)));
  EXPECT_TRUE(moments.deviation().equal(at::ones({2}, at::kDouble)));
  moments.add(at::zeros({0, 2}));
  EXPECT_EQ(moments.count(), 0);
  EXPECT_THAT(message_of([&] { moments.add(at::zeros({3})); }), HasSubstr("width 2"));
  const Tensor bad = at::full({1, 2}, std::numeric_limits<double>::quiet_NaN());
  EXPECT_THAT(message_of([&] { moments.add(bad); }), HasSubstr("not a finite number"));
}

}  // namespace
}  // namespace blip3u
