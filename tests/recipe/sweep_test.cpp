// The `ablate` section: the points that it makes, and every way in which it can be wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ablating/sweep.h"
#include "recipe/fake_catalog.h"

namespace recipe_test {
namespace {

using blip3u::Sweep;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

const std::string axes = R"(  axes:
    steps:
      few: {}
      many: {pipeline.sampler.steps: 50}
    network:
      dit: {}
      mlp: {pipeline.denoiser: mlp}
)";

class SweepTest : public RecipeTest {
 protected:
  Sweep sweep(const std::string& section) {
    return blip3u::load_sweep(write(good_recipe + std::string("ablate:\n") + section), {}, catalog_);
  }
  std::string sweep_refusal(const std::string& section) {
    try {
      (void)sweep(section);
    } catch (const blip3u::Error& error) {
      EXPECT_EQ(error.fault(), blip3u::Fault::usage) << error.what();
      return error.what();
    }
    return {};
  }
  static std::vector<std::string> names(const Sweep& sweep) {
    std::vector<std::string> result;
    for (const auto& point : sweep.points) result.push_back(point.name);
    return result;
  }
};

TEST_F(SweepTest, AGridHasEveryCombinationAndEachSeed) {
  const Sweep all = sweep("  seeds: [0, 7]\n" + axes);
  EXPECT_THAT(names(all), ElementsAre("steps=few,network=dit", "steps=few,network=mlp", "steps=many,network=dit",
                                      "steps=many,network=mlp"));
  const auto& last = all.points.back().recipes;
  ASSERT_EQ(last.size(), 2U);
  EXPECT_EQ(last[1].seed, 7U);
  EXPECT_EQ(last[1].pipeline.parts.at("denoiser").name, "mlp");
  EXPECT_EQ(last[1].pipeline.parts.at("sampler").parameters.integer("steps"), 50);
  EXPECT_EQ(all.points.front().recipes.front().hash, load(good_recipe).hash)
      << "`ablate` is no part of a recipe's identity";
}

TEST_F(SweepTest, APointIsTheRecipeWithTheSameOverrides) {
  const auto recipe = load(good_recipe, {"pipeline.sampler.steps=50", "pipeline.denoiser=mlp"});
  EXPECT_EQ(sweep(axes).points.back().recipes.front().hash, recipe.hash);
}

TEST_F(SweepTest, OneAtATimeVariesAroundTheBaseline) {
  const Sweep some = sweep("  design: one_at_a_time\n  baseline: {network: mlp}\n" + axes);
  EXPECT_THAT(names(some), ElementsAre("steps=few,network=mlp", "steps=many,network=mlp", "steps=few,network=dit"));
}

TEST_F(SweepTest, AListHasItsPointsAndTheBaselineFirst) {
  const Sweep some = sweep("  design: list\n  points: [{steps: many, network: mlp}, {steps: few}]\n" + axes);
  EXPECT_THAT(names(some), ElementsAre("steps=few,network=dit", "steps=many,network=mlp"));
}

TEST_F(SweepTest, WhatIsLeftOutIsNamedWithItsReasonAndNotChecked) {
  const std::string bad = "    width:\n      own: {}\n      wrong: {pipeline.denoiser.depht: 3}\n";
  const Sweep some = sweep("  leave_out: [{width: wrong, reason: does not fit}]\n" + axes + bad);
  EXPECT_EQ(some.points.size(), 4U);
  ASSERT_EQ(some.left_out.size(), 4U);
  EXPECT_EQ(some.left_out.front().reason, "does not fit");
}

TEST_F(SweepTest, AnOverrideOfAKeyThatIsNotThereIsShownAtItsLine) {
  EXPECT_EQ(
      sweep_refusal(axes + "    other:\n      none: {}\n      some: {pipeline.sampler.stpes: 3}\n"),
      "r.yaml:31:14: unknown key `stpes` in sampler `flow_matching`; did you mean `steps`? (in 4 points, the first "
      "of them steps=few,network=dit,other=some)\n"
      "        some: {pipeline.sampler.stpes: 3}\n"
      "               ^");
}

TEST_F(SweepTest, AxesThatChangeNothingAndLabelsAlikeAreRefused) {
  EXPECT_THAT(sweep_refusal(axes + "    other:\n      none: {}\n      same: {pipeline.sampler.steps: 20}\n"),
              HasSubstr("`pipeline.sampler.steps`; one key belongs to one axis"));
  EXPECT_THAT(
      sweep_refusal(axes + "    other:\n      none: {}\n      same: {pipeline.decoder.tokens: 16}\n"),
      StartsWith("r.yaml:31:7: the points steps=few,network=dit,other=none and steps=few,network=dit,other=same "
                 "are one recipe: label `same` of axis `other` changes nothing beside `none` there; remove it"));
  EXPECT_THAT(sweep_refusal(axes + "    other:\n      none: {}\n"),
              StartsWith("r.yaml:29:5: axis `other` has one label, so that nothing varies"));
  EXPECT_THAT(sweep_refusal(axes + "    other:\n      a: {}\n      a: {}\n"), HasSubstr("duplicate key `a`"));
}

TEST_F(SweepTest, TwoAxesThatSetOneKeyAreRefusedAlsoWithinAMap) {
  EXPECT_THAT(sweep_refusal(axes + "    other:\n      a: {}\n      b: {pipeline.sampler: {plugin: ddpm, steps: 5}}\n"),
              StartsWith("r.yaml:31:7: axes `steps` and `other` both set `pipeline.sampler.steps`; one key belongs to "
                         "one axis"));
}

TEST_F(SweepTest, AGridOfAMillionPointsIsRefusedAtOnce) {
  std::string many = "  axes:\n";
  for (int axis = 0; axis < 6; ++axis) {
    many += "    axis" + std::to_string(axis) + ":\n";
    for (int label = 0; label < 10; ++label) {
      many += "      l" + std::to_string(label) + ": {pipeline.p" + std::to_string(axis) + ": " +
              std::to_string(label) + "}\n";
    }
  }
  EXPECT_THAT(sweep_refusal(many),
              HasSubstr("these axes make 1000000 points with 1 seeds each, more than the 2000 runs "
                        "that a sweep may have"));
}

TEST_F(SweepTest, ABaselineThatIsNotAPointIsRefused) {
  EXPECT_THAT(sweep_refusal("  baseline: {steps: fwe}\n" + axes),
              StartsWith("r.yaml:22:21: axis `steps` has no label `fwe`; did you mean `few`?"));
  EXPECT_THAT(
      sweep_refusal("  leave_out: [{network: dit, reason: known}]\n" + axes),
      HasSubstr("the baseline `steps=few,network=dit` is not a point: it is left out; name another in `baseline`"));
  EXPECT_THAT(sweep_refusal("  design: list\n  points: [{steps: many}]\n" + axes),
              HasSubstr("is not a point: it is not in `points`"));
}

TEST_F(SweepTest, WhatIsOneForTheWholeSweepIsNoLabel) {
  EXPECT_THAT(sweep_refusal(axes + "    other:\n      a: {}\n      b: {seed: 3}\n"),
              HasSubstr("`seed` is one for the whole sweep and cannot be a label's; name seeds in `seeds`"));
}

TEST_F(SweepTest, OtherMistakesOfTheSection) {
  EXPECT_THAT(sweep_refusal("  sedes: [0]\n" + axes),
              HasSubstr("unknown key `sedes` in `ablate`; did you mean `seeds`?"));
  EXPECT_THAT(sweep_refusal("  seeds: [1, 1]\n" + axes), HasSubstr("`seeds` has 1 twice"));
  EXPECT_THAT(sweep_refusal("  seeds: [0.5]\n" + axes), HasSubstr("`seeds` must be whole numbers, but one is 0.5"));
  EXPECT_THAT(sweep_refusal("  seeds: []\n" + axes), HasSubstr("`seeds` is empty"));
  EXPECT_THAT(sweep_refusal("  seeds: [0]\n"), HasSubstr("missing key `axes` in `ablate`"));
  EXPECT_THAT(sweep_refusal("  leave_out: [{steps: many}]\n" + axes), HasSubstr("missing key `reason`"));
  EXPECT_THAT(sweep_refusal("  design: one_at_a_time\n  leave_out: [{steps: many, network: mlp, reason: x}]\n" + axes),
              HasSubstr("this leaves nothing out"));
  EXPECT_THAT(sweep_refusal("  run: nowhere\n" + axes), HasSubstr("not a run directory"));
}

TEST_F(SweepTest, ARecipeWithoutTheSectionIsNoSweep) {
  EXPECT_FALSE(blip3u::has_sweep(write(good_recipe)));
  EXPECT_THROW(blip3u::load_sweep("r.yaml", {}, catalog_), blip3u::Error);
}

}  // namespace
}  // namespace recipe_test
