// A sweep: every point trained and evaluated once, stages shared, resumable, failures recorded.
#include <chrono>
#include <csignal>
#include <thread>

#include "end_to_end/support.h"

namespace blip3u::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;

const std::string section = R"(ablate:
  seeds: [0, 1]
  axes:
    sampler:
      flow: {}
      regression: {pipeline.sampler: regression}
    queries:
      two: {}
      four: {pipeline.denoiser.queries: 4}
)";

class Ablate : public EndToEnd {
 protected:
  Ablate() { folder_.write("sweep.yaml", recipe + section); }

  Outcome ablate(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"ablate", "sweep.yaml", "--no_estimate"});
    return blip3u(more);
  }
  std::vector<std::string> statuses() const {
    std::vector<std::string> result;
    const json record = json::parse(read_text(run_directory("runs", "tiny-ablation") / "runs.json"));
    for (const json& run : record.at("runs")) result.push_back(run.at("status"));
    return result;
  }
  std::map<std::string, std::string> weights() const {
    std::map<std::string, std::string> hashes;
    for (const auto& stage : fs::directory_iterator(file("runs/stages"))) {
      hashes[stage.path().filename().string()] = sha256_file(stage.path() / "weights.safetensors");
    }
    return hashes;
  }
};

TEST_F(Ablate, SharesStagesGoesOnAndDoesNothingTwice) {
  const Outcome plan = ablate({"--dry_run"});
  ASSERT_EQ(plan.code, 0) << plan.err;
  EXPECT_THAT(plan.err, HasSubstr("4 points of 2 axes, 2 seeds: 8 runs"));
  EXPECT_THAT(plan.err, HasSubstr("stages: 32 wanted, 18 of them shared, so 14 to train, of which 0 there already"));
  EXPECT_FALSE(fs::exists(file("runs/stages")));

  ASSERT_EQ(ablate({"--limit", "3"}).code, 0);
  EXPECT_EQ(std::ranges::count(statuses(), "complete"), 3);
  ASSERT_EQ(ablate({"--only", "sampler=regression"}).code, 0);
  EXPECT_EQ(std::ranges::count(statuses(), "complete"), 6);
  ASSERT_EQ(ablate({"--jobs", "2"}).code, 0);
  EXPECT_EQ(std::ranges::count(statuses(), "complete"), 8);
  EXPECT_EQ(weights().size(), 14U);

  const auto before = fs::last_write_time(run_directory("runs", "tiny-ablation") / "sweep.json");
  const Outcome again = ablate();
  EXPECT_EQ(again.code, 0);
  EXPECT_THAT(again.err, HasSubstr("runs: 8 of 8 complete"));
  EXPECT_GE(fs::last_write_time(run_directory("runs", "tiny-ablation") / "sweep.json"), before);
}

TEST_F(Ablate, KilledAgainAndAgainItEndsWithTheSameBits) {
  ASSERT_EQ(ablate().code, 0);
  const auto undisturbed = weights();
  fs::rename(file("runs"), file("undisturbed"));
  for (int attempt = 0; attempt < 10; ++attempt) {
    const Outcome killed = call({"-c", fmt::format("timeout -s KILL {:.1f} {} ablate sweep.yaml --no_estimate",
                                                   0.4 + 0.3 * attempt, BLIP3U_PROGRAM)},
                                folder_.path(), {}, {}, "/bin/bash");
    if (killed.code == 0) break;
  }
  const Outcome last = ablate();
  ASSERT_EQ(last.code, 0) << last.err;
  EXPECT_EQ(weights(), undisturbed);
}

TEST_F(Ablate, APointThatFailsIsRecordedAndTheOthersAreMade) {
  folder_.write("sweep.yaml", recipe + section + "      huge: {training.denoiser.learning_rate: 1.0e+300}\n");
  const Outcome outcome = ablate({"--only", "flow", "ablate.seeds=[0]"});
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("1 of 6 runs failed"));
  const json record = json::parse(read_text(run_directory("runs", "tiny-ablation") / "runs.json"));
  int failed = 0, complete = 0;
  for (const json& run : record.at("runs")) {
    failed +=
        run.at("status") == "failed" && run.at("message").get<std::string>().find("denoiser") != std::string::npos;
    complete += run.at("status") == "complete";
  }
  EXPECT_EQ(failed, 1);
  EXPECT_EQ(complete, 2);
}

TEST_F(Ablate, AChangedRecipeIsAnotherSweepAndSaysHowItDiffers) {
  ASSERT_EQ(ablate({"--limit", "1"}).code, 0);
  const Outcome changed = ablate({"--limit", "1", "training.encoder.steps=7"});
  EXPECT_EQ(changed.code, 0) << changed.err;
  EXPECT_THAT(changed.err, HasSubstr("this is another sweep than"));
  EXPECT_THAT(changed.err, HasSubstr("- "));
  EXPECT_THAT(changed.err, HasSubstr("+     steps: 7"));
}

TEST_F(Ablate, WeightsOfARunServeASweepThatTrainsNothing) {
  ASSERT_EQ(blip3u({"run", "tiny.yaml"}).code, 0);
  const std::string base = run_directory().string();
  const std::string sweep = "base: " + base + "/resolved.yaml\nablate:\n  run: " + base + "\n  axes:\n    steps:\n";
  folder_.write("sampling.yaml", sweep + "      three: {}\n      five: {pipeline.sampler.steps: 5}\n");
  const Outcome outcome = blip3u({"ablate", "sampling.yaml"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("stages: none, all weights are those of " + base));
  EXPECT_EQ(std::ranges::count(statuses(), "complete"), 2);

  folder_.write("training.yaml", sweep + "      three: {}\n      wide: {pipeline.denoiser.queries: 4}\n");
  const Outcome refused = blip3u({"ablate", "training.yaml"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("training.yaml:7:7: the point steps=wide changes what training reads"));
}

TEST_F(Ablate, AnUnknownLabelIsNamed) {
  const Outcome outcome = ablate({"--only", "regresion"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("--only: no point has the label `regresion`"));
}

}  // namespace
}  // namespace blip3u::testing
