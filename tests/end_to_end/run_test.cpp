// Runs that nothing disturbs.
#include "end_to_end/support.h"

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
                           "checkpoints/denoiser.safetensors", "losses/denoiser.png", "items/vqa.jsonl"}) {
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
    return read_text(file(name));
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

TEST_F(EndToEnd, OtherDataLeaveNoOldScores) {
  ASSERT_EQ(blip3u({"run", "tiny.yaml"}).code, 0);
  const std::string before = read_text(run_directory() / "items/vqa.jsonl");
  const auto replace_last = [&](const std::filesystem::path& path, const std::string& old, const std::string& other) {
    std::string text = read_text(path);
    text.replace(text.rfind(old), old.size(), other);
    write_atomically(path, text);
  };
  replace_last(file("pictures/captions.jsonl"), "\"answer\":\"white\"", "\"answer\":\"black\"");  // of the test split
  replace_last(run_directory() / "manifest.json", "complete", "interrupted");
  ASSERT_EQ(blip3u({"run", "tiny.yaml"}).code, 0);
  EXPECT_NE(read_text(run_directory() / "items/vqa.jsonl"), before);
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

}  // namespace
}  // namespace blip3u::testing
