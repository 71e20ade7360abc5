// The judgement of sweeps against simulated ones, whose truth is known.
#include <cmath>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/judge.h"

namespace blip3u::eval {
namespace {

using ::testing::ElementsAre;

/// How the scores of a simulated sweep come about: value = effect + seed's and items' noise.
struct World {
  std::size_t points = 6, seeds = 3, items = 100;
  double between_trainings = 1;  ///< deviation of a point's score from seed to seed
  double unequal = 0;            ///< of the logarithm of that deviation, from point to point
  double between_items = 0;      ///< deviation of what an item adds to a point, in all seeds
  double each_answer = 0;        ///< deviation of an item's answer in one run
  bool same_items = true;        ///< for all seeds
  std::vector<double> effects;   ///< by point; none: 0
};

ScoreTable simulate(const World& world, std::mt19937_64& random) {
  std::normal_distribution<double> normal;
  ScoreTable table{.name = "score"};
  std::vector<double> blocks(world.seeds);
  for (double& block : blocks) block = 2 * normal(random);
  for (std::size_t p = 0; p < world.points; ++p) {
    table.observations.emplace_back();
    const double deviation = world.between_trainings * std::exp(world.unequal * normal(random));
    std::vector<double> shared(world.items);
    for (double& item : shared) item = world.between_items * normal(random);
    for (std::size_t s = 0; s < world.seeds; ++s) {
      const double base = (p < world.effects.size() ? world.effects[p] : 0) + blocks[s] + deviation * normal(random);
      std::vector<double> answers(world.items);
      double sum = 0;
      for (std::size_t i = 0; i < world.items; ++i) {
        answers[i] = base + (world.same_items ? shared[i] : world.between_items * normal(random)) +
                     world.each_answer * normal(random);
        sum += answers[i];
      }
      Observation observation{.value = sum / static_cast<double>(world.items)};
      for (std::size_t i = 0; i < world.items; ++i) {
        const double without = (sum - answers[i]) / static_cast<double>(world.items - 1);
        observation.influences[std::to_string(i)] = observation.value - without;
      }
      table.observations.back().push_back(std::move(observation));
    }
  }
  return table;
}

std::vector<std::string> names(std::size_t points) {
  std::vector<std::string> result;
  for (std::size_t p = 0; p < points; ++p) result.push_back("p" + std::to_string(p));
  return result;
}

struct Rates {
  double coverage = 0, claims = 0;
};

/// The share of nominal intervals that hold the truth, 0, and of sweeps with any claim.
Rates rates(const World& world, int sweeps, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  double held = 0, all = 0, claimed = 0;
  for (int i = 0; i < sweeps; ++i) {
    bool claim = false;
    for (const Estimated& each : judge({simulate(world, random)}, differences(names(world.points)), false)) {
      held += each.interval.low <= 0 && each.interval.high >= 0 ? 1 : 0;
      all += 1;
      claim = claim || each.verdict == Verdict::better || each.verdict == Verdict::worse;
    }
    claimed += claim ? 1 : 0;
  }
  return {held / all, claimed / sweeps};
}

std::vector<std::pair<std::string, World>> worlds(std::size_t seeds) {
  return {{"trainings alone", {.seeds = seeds, .items = 20}},
          {"items alone", {.seeds = seeds, .between_trainings = 0, .between_items = 10, .each_answer = 3}},
          {"both", {.seeds = seeds, .between_trainings = 0.7, .between_items = 7, .each_answer = 5}},
          {"items of each seed", {.seeds = seeds, .between_trainings = 0.5, .between_items = 7, .same_items = false}}};
}

TEST(Judge, NominalIntervalsHoldTheTruthAsOftenAsTheySay) {
  for (const std::size_t seeds : {2U, 3U, 5U}) {
    for (const auto& [name, world] : worlds(seeds)) {
      const Rates found = rates(world, 1000, 7 * seeds);
      RecordProperty(name + ", seeds " + std::to_string(seeds), std::to_string(found.coverage));
      EXPECT_GE(found.coverage, 0.93) << name << ", seeds " << seeds;
      EXPECT_LE(found.coverage, 0.97) << name << ", seeds " << seeds;
      EXPECT_LE(found.claims, 0.05 + 2 * std::sqrt(0.05 * 0.95 / 1000)) << name << ", seeds " << seeds;
    }
  }
}

// Few seeds do not show how unequal designs are: where the deviations of some are twice those of others, intervals hold
// the truth somewhat too rarely. This keeps the limit in view; docs/ablations.md states it.
TEST(Judge, DesignsOfUnequalChanceCostLittleCoverage) {
  for (const std::size_t seeds : {2U, 3U, 5U}) {
    const Rates found = rates({.points = 8, .seeds = seeds, .items = 20, .unequal = 0.4}, 1000, 7 * seeds);
    RecordProperty("seeds " + std::to_string(seeds),
                   std::to_string(found.coverage) + " " + std::to_string(found.claims));
    EXPECT_GE(found.coverage, 0.91) << "seeds " << seeds;
    EXPECT_LE(found.claims, 0.10) << "seeds " << seeds;
  }
}

TEST(Judge, TheSmallestEffectIsFoundInFourOfFiveSweeps) {
  for (const std::size_t seeds : {3U, 5U}) {
    World world{.seeds = seeds, .items = 20};
    std::mt19937_64 random(seeds);
    int found = 0;
    constexpr int sweeps = 1500;
    for (int i = 0; i < sweeps; ++i) {
      world.effects.clear();
      const double stated =
          smallest_effect(judge({simulate(world, random)}, differences(names(world.points)), false)[2]);
      world.effects = {0, 0, 0, stated};
      found += judge({simulate(world, random)}, differences(names(world.points)), false)[2].verdict == Verdict::better;
    }
    EXPECT_NEAR(found / static_cast<double>(sweeps), 0.80, 0.03) << "seeds " << seeds;
  }
}

TEST(Judge, OneSeedIsNeverAWinUnlessTheWeightsAreTheSame) {
  World world{.seeds = 1, .between_trainings = 0, .each_answer = 1, .effects = {0, 50}};
  std::mt19937_64 random(1);
  const ScoreTable table = simulate(world, random);
  const Estimated trained = judge({table}, differences(names(6)), false).front();
  EXPECT_EQ(trained.verdict, Verdict::untold);
  EXPECT_THAT(trained.remark, ::testing::HasSubstr("one seed"));
  EXPECT_EQ(judge({table}, differences(names(6)), true).front().verdict, Verdict::better);
}

TEST(Judge, TwoRunsOfTwoPointsSayThatSeedsAreFew) {
  const ScoreTable table{.name = "score",
                         .observations = {{{{.value = 0}}, {{.value = 0}}}, {{{.value = 1}}, {{.value = 3}}}}};
  const Estimated one = judge({table}, differences({"a", "b"}), false).front();
  EXPECT_THAT(one.remark, ::testing::HasSubstr("few seeds: 1.0 degrees of freedom"));
  EXPECT_EQ(one.verdict, Verdict::unseen);
}

// By hand: differences 1, 2, 3 of two points have the mean 2 and the standard error 1 / sqrt(3); Student's 97.5 % point
// for two degrees of freedom is 4.302653.
TEST(Judge, TwoPointsAreAPairedStudentTest) {
  ScoreTable table{.name = "score",
                   .observations = {{{{.value = 5}}, {{.value = 9}}, {{.value = 2}}},
                                    {{{.value = 6}}, {{.value = 11}}, {{.value = 5}}}}};
  const Estimated one = judge({table}, differences({"a", "b"}), false).front();
  EXPECT_DOUBLE_EQ(one.value, 2);
  EXPECT_NEAR(one.interval.high - 2, 4.302653 / std::sqrt(3.0), 1e-5);
  EXPECT_NEAR(one.degrees, 2, 1e-9);
  EXPECT_NEAR(one.p, 0.0741799, 1e-6);  // scipy.stats.ttest_rel
}

TEST(Judge, LowerMayBeBetterAndFailedRunsAreLeftOut) {
  std::mt19937_64 random(3);
  ScoreTable table = simulate({.seeds = 5, .between_trainings = 0.1, .effects = {0, 5}}, random);
  table.higher_is_better = false;
  table.observations[1][2].reset();
  for (auto& run : table.observations[2]) run.reset();
  const auto all = judge({table}, differences(names(6)), false);
  EXPECT_EQ(all[0].verdict, Verdict::worse);
  EXPECT_EQ(all[0].seeds, 4U);
  EXPECT_EQ(all[1].verdict, Verdict::untold);
  EXPECT_EQ(all[1].remark, "no seed has all runs that this needs");
}

TEST(Judge, WhereNothingShowsChanceNothingIsCalledAWin) {
  const ScoreTable table{.name = "score",
                         .observations = {{{{.value = 0}}, {{.value = 0}}}, {{{.value = 1}}, {{.value = 1}}}}};
  const Estimated one = judge({table}, differences({"a", "b"}), false).front();
  EXPECT_EQ(one.verdict, Verdict::untold);
}

TEST(Judge, EffectsAreMeansOverWhatIsThere) {
  const std::vector<JudgedAxis> axes = {{"a", {"0", "1"}}, {"b", {"0", "1"}}};
  const auto all = effects(axes, {{0, 0}, {0, 1}, {1, 0}, {1, 1}});
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].name, "a=1");
  EXPECT_THAT(all[0].weights,
              ElementsAre(std::pair(0U, -0.5), std::pair(1U, -0.5), std::pair(2U, 0.5), std::pair(3U, 0.5)));
  EXPECT_EQ(all[2].name, "a=1 x b=1");
  EXPECT_THAT(all[2].weights, ElementsAre(std::pair(0U, 1), std::pair(1U, -1), std::pair(2U, -1), std::pair(3U, 1)));
  const auto some = effects(axes, {{0, 0}, {0, 1}, {1, 0}});
  ASSERT_EQ(some.size(), 2U) << "no interaction without the fourth";
  EXPECT_THAT(some[0].weights, ElementsAre(std::pair(0U, -1), std::pair(2U, 1)));
}

}  // namespace
}  // namespace blip3u::eval
