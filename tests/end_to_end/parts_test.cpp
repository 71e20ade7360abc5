// A batch of conversations of all shapes, cut into parts.
#include "end_to_end/support.h"

namespace blip3u::testing {
namespace {

const std::string scenes = R"(name: tiny
seed: 3
device: cpu
data: {plugin: scenes, image_size: 32, samples: 200}
tokenizer: words
pipeline:)" + std::string(tiny_parts) +
                           R"(  sampler: {plugin: flow_matching, steps: 3}
training:
  - {name: decoder, objective: decoder, train: [decoder], steps: 3, batch: 12}
  - {name: joint, objective: conversation, train: [backbone, denoiser], steps: 4, batch: 12}
evaluation: []
)";

class Parts : public EndToEnd {
 protected:
  Parts() { folder_.write("tiny.yaml", scenes); }

  nlohmann::json losses(const std::string& name, const std::string& parts, const std::string& threads) const {
    const std::string out = "output=" + name;
    const Outcome run =
        blip3u({"run", "tiny.yaml", out, "training.decoder.parts=" + parts, "training.joint.parts=" + parts},
               {"OMP_NUM_THREADS=" + threads});
    EXPECT_EQ(run.code, 0) << run.err;
    return nlohmann::json::parse(read_text(run_directory(name) / "metrics.json")).at("stages");
  }

  std::string checkpoint(const std::string& name) const {
    return sha256_file(run_directory(name) / "checkpoints" / "joint.safetensors");
  }
};

TEST_F(Parts, AddUpToTheBatch) {
  const auto whole = losses("whole", "1", "1"), cut = losses("cut", "3", "1");
  for (std::size_t stage = 0; stage < whole.size(); ++stage) {
    for (const auto& [name, value] : whole[stage].at("losses").items()) {
      EXPECT_NEAR(cut[stage].at("losses").at(name).get<double>(), value.get<double>(), 1e-4) << name;
    }
  }
  EXPECT_NE(checkpoint("cut"), checkpoint("whole")) << "other sums round otherwise; were they cut at all?";
}

TEST_F(Parts, AreTheSameHoweverManyThreadsThereAre) {
  losses("one", "2", "1");
  losses("two", "2", "2");
  EXPECT_EQ(checkpoint("one"), checkpoint("two"));
}

TEST_F(Parts, AStageLearnsFromTheSamplesThatItsFilterNames) {
  const auto train = [&](const std::string& name, const std::string& change) {
    const Outcome run = blip3u({"run", "tiny.yaml", "output=" + name, "training.joint.train=[backbone]",
                                "training.joint.image_weight=0", change});
    EXPECT_EQ(run.code, 0) << run.err;
    return checkpoint(name);
  };
  const std::string filtered = train("stage", "training.joint.filter=[kind=question]");
  EXPECT_EQ(filtered, train("data", "data.filter=[kind=question]"));
  EXPECT_NE(filtered, train("all", "seed=3"));
  const Outcome none = blip3u({"run", "tiny.yaml", "training.joint.filter=[kind=nothing]"});
  EXPECT_EQ(none.code, 1);
  EXPECT_THAT(none.err, ::testing::HasSubstr("stage `joint` learns from what the assistant says"));
}

TEST_F(Parts, ACheckpointThatALaterStageOvertakesMayBeLeftOut) {
  const std::string last =
      "  - {name: last, objective: conversation, train: [backbone, denoiser], steps: 1, batch: 4}\n";
  std::string longer = scenes;
  longer.insert(longer.find("evaluation:"), last);
  folder_.write("tiny.yaml", longer);
  const auto draw = [&](const std::string& output) {
    return blip3u(
        {"generate", "--run", run_directory(output).string(), "--prompt", "a star", "--output_path", "x.png"});
  };
  const auto drop = [&](const std::string& output, const std::string& stage) {
    return std::filesystem::remove(run_directory(output) / "checkpoints" / (stage + ".safetensors"));
  };
  ASSERT_EQ(blip3u({"run", "tiny.yaml"}).code, 0);
  ASSERT_EQ(draw("runs").code, 0);
  const std::string before = read_text(file("x.png"));
  ASSERT_TRUE(drop("runs", "joint"));
  EXPECT_EQ(draw("runs").code, 0);
  EXPECT_EQ(read_text(file("x.png")), before);
  ASSERT_TRUE(drop("runs", "last"));
  EXPECT_THAT(draw("runs").err, ::testing::HasSubstr("stage `last` is not trained yet"));

  ASSERT_EQ(blip3u({"run", "tiny.yaml", "output=some", "training.last.train=[backbone]"}).code, 0);
  ASSERT_TRUE(drop("some", "joint"));
  EXPECT_THAT(draw("some").err, ::testing::HasSubstr("stage `joint` is not trained yet"))
      << "who trained the denoiser?";
}

}  // namespace
}  // namespace blip3u::testing
