// Runs that nothing disturbs.
#include <ATen/ops/equal.h>
#include <ATen/ops/ones_like.h>

#include "end_to_end/support.h"
#include "io/safetensors.h"

namespace blip3u::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(EndToEnd, ARunIsCompleteAndServesInference) {
  const Outcome first = blip3u({"run", "tiny.yaml"});
  ASSERT_EQ(first.code, 0) << first.err;
  const fs::path run = run_directory();
  for (const char* name : {"recipe.yaml", "resolved.yaml", "manifest.json", "metrics.json", "report.html", "texts.json",
                           "checkpoints/denoiser.safetensors", "losses/denoiser.svg", "items/tasks.vqa.jsonl"}) {
    EXPECT_TRUE(fs::exists(run / name)) << name;
  }
  EXPECT_EQ(status(), "complete");

  fs::remove(run / "report.html");
  for (const std::string& recipe_file : {std::string("tiny.yaml"), (run / "resolved.yaml").string()}) {
    const Outcome again = blip3u({"run", recipe_file});
    EXPECT_EQ(again.code, 0);
    EXPECT_THAT(again.err, HasSubstr("already complete"));
    EXPECT_TRUE(fs::exists(run / "report.html")) << "what is missing is made again";
  }

  fs::rename(file("pictures"), file("moved"));  // a run directory is enough
  const auto picture = [&](const std::string& name, const std::string& seed) {
    const Outcome made = blip3u({"generate", "--prompt", "a white square", "--output_path", name, "--seed", seed});
    EXPECT_EQ(made.code, 0) << made.err;
    return encode_png(read_image(file(name)));  // without what the file says of the seed
  };
  const std::string one = picture("one.png", "1");
  EXPECT_EQ(picture("same.png", "1"), one);
  EXPECT_NE(picture("other.png", "2"), one);
  EXPECT_EQ(read_image(file("one.png")).sizes(), (at::IntArrayRef{3, 32, 32}));

  const Outcome answered =
      blip3u({"infer", "--task", "vqa", "--input_path", "moved/1.png", "--question", "what color is it?"});
  EXPECT_EQ(answered.code, 0) << answered.err;
  EXPECT_THAT(answered.out, EndsWith("\n"));
}

TEST_F(EndToEnd, TheResolvedRecipeReproducesTheRun) {
  ASSERT_EQ(blip3u({"run", "tiny.yaml"}).code, 0);
  const Outcome again = blip3u({"run", (run_directory() / "resolved.yaml").string(), "output=again"});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_THAT(again.err, Not(HasSubstr("taken from")));
  EXPECT_EQ(results(run_directory("again")), results(run_directory()));
}

TEST_F(EndToEnd, EvaluatingATaskNeedsNoMoreThanItAsksFor) {
  ASSERT_EQ(blip3u({"run", "tiny.yaml"}).code, 0);
  const fs::path run = run_directory();
  const auto evaluate = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"evaluate", "--task", "vqa", "--checkpoint", run.string()});
    return blip3u(more);
  };
  const std::string scores = read_text(run / "metrics.json");
  for (const char* stage : {"decoder", "denoiser"}) fs::remove(run / fmt::format("checkpoints/{}.safetensors", stage));
  const Outcome asked = evaluate({});
  EXPECT_EQ(asked.code, 0) << asked.err;
  fs::remove_all(run / "checkpoints");
  EXPECT_THAT(evaluate({}).err, HasSubstr("stage `encoder` is not trained yet"));
  const Outcome stored = evaluate({"--stored"});
  EXPECT_EQ(stored.code, 0) << stored.err;
  EXPECT_EQ(read_text(run / "metrics.json"), scores);
  fs::remove_all(run / "replies");
  EXPECT_THAT(evaluate({"--stored"}).err, HasSubstr("the replies to 6 of 6 items are missing"));
}

TEST_F(EndToEnd, OtherDataLeaveNoOldScores) {
  ASSERT_EQ(blip3u({"run", "tiny.yaml"}).code, 0);
  const std::string before = read_text(run_directory() / "items/tasks.vqa.jsonl");
  const auto replace_last = [&](const std::filesystem::path& path, const std::string& old, const std::string& other) {
    std::string text = read_text(path);
    text.replace(text.rfind(old), old.size(), other);
    write_atomically(path, text);
  };
  replace_last(file("pictures/captions.jsonl"), "\"answer\":\"white\"", "\"answer\":\"black\"");  // of the test split
  replace_last(run_directory() / "manifest.json", "complete", "interrupted");
  ASSERT_EQ(blip3u({"run", "tiny.yaml"}).code, 0);
  EXPECT_NE(read_text(run_directory() / "items/tasks.vqa.jsonl"), before);
}

TEST_F(EndToEnd, ChangingTheSamplerKeepsWhatItDoesNotTouch) {
  ASSERT_EQ(blip3u({"run", "tiny.yaml"}).code, 0);
  const Outcome other = blip3u({"run", "tiny.yaml", "pipeline.sampler.plugin=regression"});
  ASSERT_EQ(other.code, 0) << other.err;
  for (const char* stage : {"encoder", "decoder", "backbone"}) {
    EXPECT_THAT(other.err, HasSubstr(fmt::format("stage {}: taken from", stage)));
  }
  EXPECT_THAT(other.err, Not(HasSubstr("stage denoiser: taken from")));
}

// Steps, shift, solver and guidance are read when pictures are made, and so train nothing again.
TEST_F(EndToEnd, WhatOnlySamplingReadsTrainsNothing) {
  ASSERT_EQ(blip3u({"run", "tiny.yaml"}).code, 0);
  const auto stages = [&] {
    return std::distance(fs::directory_iterator(file("runs/stages")), fs::directory_iterator());
  };
  const auto trained = stages();
  for (const std::vector<std::string>& overrides :
       std::vector<std::vector<std::string>>{{"pipeline.sampler.steps=2"},
                                             {"pipeline.sampler.solver=heun"},
                                             {"pipeline.sampler.shift=2"},
                                             {"pipeline.guidance.plugin=cfg", "pipeline.guidance.scale=2"},
                                             {"pipeline.solver.plugin=flow_matching", "pipeline.solver.steps=4"}}) {
    std::vector<std::string> arguments{"run", "tiny.yaml"};
    arguments.insert(arguments.end(), overrides.begin(), overrides.end());
    const Outcome other = blip3u(arguments);
    ASSERT_EQ(other.code, 0) << other.err;
    for (const char* stage : {"encoder", "decoder", "backbone", "denoiser"}) {
      EXPECT_THAT(other.err, HasSubstr(fmt::format("stage {}: taken from", stage))) << overrides.front();
    }
  }
  EXPECT_EQ(stages(), trained);
}

TEST_F(EndToEnd, WordsAndPicturesAreLearnedInOneStage) {
  std::string joint = recipe;
  joint.resize(joint.find("  - {name: backbone"));
  joint +=
      "  - {name: joint, objective: conversation, train: [backbone, denoiser], steps: 6, batch: 4, image_share: 0.5}\n"
      "evaluation: [tasks/vqa]\n";
  folder_.write("tiny.yaml", joint);
  const Outcome trained = blip3u({"run", "tiny.yaml"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const auto metrics = nlohmann::json::parse(read_text(run_directory() / "metrics.json"));
  const auto& losses = metrics.at("stages").back().at("losses");
  EXPECT_GT(losses.at("text").get<double>(), 0);
  EXPECT_GT(losses.at("flow").get<double>(), 0);
  EXPECT_NEAR(losses.at("total").get<double>(), losses.at("text").get<double>() + losses.at("flow").get<double>(),
              1e-5);
  EXPECT_EQ(generate().code, 0);
}

// The scale of the features belongs to what learned pictures at it, whichever part that trained.
TEST_F(EndToEnd, AStageThatTrainsOnlyTheBackboneKeepsTheFeatureScale) {
  std::string text = recipe;
  const auto place = text.find("train: [denoiser]");
  text.replace(place, 17, "train: [backbone]");
  text.insert(text.find("evaluation:"),
              "  - {name: last, objective: conversation, text_weight: 0, train: [denoiser], steps: 1, batch: 4}\n");
  folder_.write("tiny.yaml", text);
  const Outcome trained = blip3u({"run", "tiny.yaml"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const auto scale_of = [&](const std::string& stage) {
    Tensor scale;
    for (const NamedTensor& tensor :
         load_safetensors(run_directory() / "checkpoints" / (stage + ".safetensors")).tensors) {
      if (tensor.name == "generation/feature_scale.deviation") scale = tensor.value.clone();
    }
    return scale;
  };
  ASSERT_TRUE(scale_of("denoiser").defined()) << "the stage that trained the backbone alone";
  EXPECT_TRUE(at::equal(scale_of("denoiser"), scale_of("last")));
  EXPECT_FALSE(at::equal(scale_of("denoiser"), at::ones_like(scale_of("denoiser"))));
}

}  // namespace
}  // namespace blip3u::testing
