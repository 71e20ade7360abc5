#include "eval/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "blip3u/error.h"
#include "run_folder.h"

namespace blip3u::eval {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string recipe(int seed, const std::string& sampler, int steps) {
  return "name: easy_vqa\nseed: " + std::to_string(seed) +
         "\noutput: runs\npipeline:\n  sampler:\n    plugin: " + sampler + "\n    " +
         (sampler == "ddpm" ? "prediction: v" : "shift: 1") +
         "\ntraining:\n  - name: encoder\n    steps: " + std::to_string(steps) + "\n    train: [encoder]\n";
}

class Compare : public testing::Test {
 protected:
  std::filesystem::path run(const std::string& name, const std::string& recipe, const nlohmann::json& metrics) {
    folder_.write(name + "/resolved.yaml", recipe);
    folder_.write(name + "/metrics.json", metrics.dump());
    return folder_.path() / name;
  }
  TemporaryFolder folder_{"blip3u-compare"};
};

TEST_F(Compare, GroupsSeedsAndNamesDifferences) {
  const auto table =
      compare_runs({run("a", recipe(1, "flow_matching", 600), made_up_metrics(0.90)),
                    run("b", recipe(2, "flow_matching", 600) + "device: cuda\nplugin_folders: [/elsewhere]\n",
                        made_up_metrics(0.96)),
                    run("c", recipe(1, "ddpm", 600), made_up_metrics(0.80)),
                    run("d", recipe(1, "flow_matching", 50), made_up_metrics(0.50))});
  EXPECT_THAT(table, HasSubstr("easy_vqa (2 seeds)"));
  EXPECT_THAT(table, HasSubstr("0.930 [0.900, 0.960]"));             // mean and range
  EXPECT_THAT(table, HasSubstr("| pipeline.sampler.plugin=ddpm "));  // and nothing of its other parameters
  EXPECT_THAT(table, Not(HasSubstr("prediction")));
  EXPECT_THAT(table, HasSubstr("0.800 [0.780, 0.820]"));  // one run's interval
  EXPECT_THAT(table, HasSubstr("training.encoder.steps=50"));
}

TEST_F(Compare, TakesNoOtherBuildForAnotherSeed) {
  const auto built = [&](const std::string& name, int seed, const std::string& hash) {
    const auto folder = run(name, recipe(seed, "flow_matching", 600), made_up_metrics(0.90));
    folder_.write(name + "/manifest.json",
                  R"({"plugins": [{"name": "gpt", "file": ")" + name + R"(.so", "sha256": ")" + hash + "\"}]}");
    return folder;
  };
  const auto table = compare_runs({built("a", 1, "old"), built("b", 1, "new"), built("c", 2, "new")});
  EXPECT_THAT(table, HasSubstr("| easy_vqa "));
  EXPECT_THAT(table, HasSubstr("/b (2 seeds) "));
}

TEST_F(Compare, TakesNoSecondRunOfOneSeedForAnotherSeed) {
  const auto again = run("b", recipe(1, "flow_matching", 600), made_up_metrics(0.96));
  const auto table = compare_runs({run("a", recipe(1, "flow_matching", 600), made_up_metrics(0.90)), again});
  EXPECT_THAT(table, Not(HasSubstr("seeds")));
  EXPECT_THAT(table, HasSubstr("| " + again.string() + " "));
}

TEST_F(Compare, ShowsReferencesAfterTheScores) {
  auto other = made_up_metrics(0.7);
  other["tasks"][0]["scores"][0]["name"] = "generation/held_out";
  other["tasks"][0]["scores"][1]["value"] = 0.07;
  const auto table = compare_runs({run("a", recipe(1, "flow_matching", 600), made_up_metrics(0.9)),
                                   run("b", recipe(2, "flow_matching", 600), other)});
  const auto score = table.find("| generation/held_out "), reference = table.find("(reference)");
  ASSERT_NE(score, std::string::npos);
  ASSERT_NE(reference, std::string::npos);
  EXPECT_LT(score, reference);  // although the first run names a reference before it
  EXPECT_THAT(table, HasSubstr("| generation/seen_shuffled (reference) | 0.060 [0.050, 0.070] "));
  EXPECT_THAT(table, Not(HasSubstr("| generation/seen (reference)")));
}

TEST_F(Compare, IsAnAlignedMarkdownTable) {
  const auto table = compare_runs({run("a", recipe(1, "flow_matching", 600), made_up_metrics(0.9))});
  std::istringstream stream(table);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line) && !line.empty();) lines.push_back(line);
  ASSERT_EQ(lines.size(), 4U);
  for (const auto& line : lines) {
    EXPECT_EQ(line.size(), lines[0].size());
    EXPECT_EQ(std::ranges::count(line, '|'), 3);
  }
  EXPECT_THAT(lines[1], HasSubstr("|---"));
}

TEST_F(Compare, ShowsWhatIsMissing) {
  auto other = made_up_metrics(0.7);
  other["tasks"][0]["scores"][0]["name"] = "generation/held_out";
  const auto table = compare_runs(
      {run("a", recipe(1, "flow_matching", 600), made_up_metrics(0.9)), run("b", recipe(1, "ddpm", 600), other)});
  EXPECT_THAT(table, HasSubstr("| n/a "));
  EXPECT_THAT(table, HasSubstr("generation/held_out"));
}

TEST_F(Compare, RefusesWhatIsNoRun) {
  EXPECT_THROW(compare_runs({}), Error);
  EXPECT_THROW(compare_runs({folder_.path() / "absent"}), Error);
}

}  // namespace
}  // namespace blip3u::eval
