// Runs that cannot go on: the disk, the data, the plugins, the checkpoints or the device are not as they should be.
#include "end_to_end/support.h"

namespace blip3u::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Failure : public EndToEnd {
 protected:
  /// Expects a run that fails with this exit code and reason, and leaves no file half written.
  void expect_failure(const std::vector<std::string>& overrides, int code, const std::string& reason,
                      const std::vector<std::string>& environment = {}) const {
    std::vector<std::string> arguments = {"run", "tiny.yaml"};
    arguments.insert(arguments.end(), overrides.begin(), overrides.end());
    const Outcome outcome = blip3u(arguments, environment);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_THAT(outcome.out, IsEmpty());
    EXPECT_THAT(outcome.err, HasSubstr(reason));
    expect_nothing_half_written();
  }

  /// Expects a run directory that is refused, for one of its files and with a word on how to mend it.
  void expect_unusable(const Outcome& outcome, const fs::path& culprit) const {
    EXPECT_EQ(outcome.code, 1) << outcome.err;
    EXPECT_THAT(outcome.out, IsEmpty());
    EXPECT_THAT(outcome.err, AllOf(HasSubstr(culprit.string() + ": "), HasSubstr("; ")));
    EXPECT_FALSE(fs::exists(file("x.png")));
  }
};

TEST_F(Failure, ADiskThatFillsUpStopsItAndTheNextRunGoesOn) {
  int failures = 0;
  for (rlim_t limit = 1000;; limit *= 2) {  // from less than the recipe to more than the largest checkpoint
    ASSERT_LT(limit, rlim_t{1} << 26) << "it fails for another reason";
    SCOPED_TRACE(fmt::format("files of at most {} bytes", limit));
    Outcome outcome;
    {
      const FullDisk disk(limit);
      outcome = blip3u({"run", "tiny.yaml"});
    }
    if (outcome.code == 0) break;
    ++failures;
    EXPECT_EQ(outcome.code, 1);
    EXPECT_THAT(outcome.err, HasSubstr("cannot be written: File too large"));
    EXPECT_NE(status(), "complete");
    expect_nothing_half_written();
  }
  EXPECT_GE(failures, 5);
  EXPECT_EQ(status(), "complete");

  Outcome outcome;
  {
    const FullDisk disk(500);  // less than a picture, and more than the message
    outcome = generate();
  }
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("x.png: cannot be written: File too large"));
  EXPECT_FALSE(fs::exists(file("x.png")));
  expect_nothing_half_written();
}

TEST_F(Failure, BadDataStopsItBeforeAnythingIsLearned) {
  expect_failure({"data.path=absent"}, 1, "there is no folder " + file("absent").string());
  fs::create_symlink("loop", file("loop"));
  expect_failure({"data.path=loop"}, 1, "/loop: Too many levels of symbolic links; check that");
  folder_.write("latin/1.txt", "caf\xE9");
  fs::copy_file(file("pictures/1.png"), file("latin/1.png"));
  expect_failure({"data.path=latin", "data.test_share=0"}, 1,
                 "latin/1.txt:1: is not UTF-8 (byte 0xE9), but perhaps Latin-1");
  const fs::path path = file("pictures/19.png");  // the last that it is evaluated on
  const std::string sound = read_text(path);
  fs::resize_file(path, 40);
  expect_failure({}, 1, "19.png: truncated or damaged PNG");
  write_atomically(path, sound);
  for (const auto& entry : fs::recursive_directory_iterator(file("runs"))) {
    EXPECT_NE(entry.path().extension().string(), ".safetensors") << entry.path();
  }
}

TEST_F(Failure, ACorruptTrainingPictureIsNamedAndPassedOver) {
  fs::resize_file(file("pictures/13.png"), 40);
  const Outcome passed = blip3u({"run", "tiny.yaml", "data.corrupt_share=0.5"});
  EXPECT_EQ(passed.code, 0) << passed.err;
  EXPECT_THAT(passed.err, HasSubstr("data: passed over: image_folder, sample "));
  EXPECT_THAT(passed.err, HasSubstr("13.png: truncated or damaged PNG"));
  expect_failure({"data.corrupt_share=0", "seed=4"}, 1, "more than the share 0 that data.corrupt_share allows");
}

TEST_F(Failure, AnErrorStreamThatCannotBeWrittenStopsNothing) {
  EXPECT_EQ(exit_code(start({"run", "tiny.yaml"}, folder_.path(), {}, file("out"), "/dev/full")), 0);
  EXPECT_EQ(status(), "complete");
}

TEST_F(Failure, AnotherWheelThanThePublishedOneIsRefused) {
  folder_.write("wheels/easy_vqa-1.0-py3-none-any.whl", "something else");
  expect_failure({"data.plugin=easy_vqa", "data.image_size=32"}, 1, "easy_vqa-1.0-py3-none-any.whl: wrong SHA-256",
                 {"BLIP3U_PACKAGE_FOLDER=" + file("wheels").string()});
  EXPECT_FALSE(fs::exists(file("data/easy_vqa")));
}

TEST_F(Failure, APluginWhoseFactoryThrowsIsThePluginsFault) {
  expect_failure({"pipeline.sampler.plugin=throwing/foreign",
                  fmt::format("plugin_folders=[{}/broken_plugins/throwing]", BLIP3U_BUILD_DIR)},
                 3, "sampler `throwing/foreign`");
  EXPECT_EQ(status(), "failed");
}

TEST_F(Failure, AnAlteredFileOfARunIsRefused) {
  ASSERT_EQ(blip3u({"run", "tiny.yaml"}).code, 0);
  const auto expect_refused = [&](const std::string& name, const auto& alter) {
    SCOPED_TRACE(name);
    const fs::path culprit = run_directory() / name;
    const std::string sound = read_text(culprit);
    std::string altered = sound;
    alter(altered);
    ASSERT_NE(altered, sound);
    write_atomically(culprit, altered);
    expect_unusable(generate(), culprit.lexically_relative(folder_.path()));
    write_atomically(culprit, sound);
  };
  const auto cut = [](std::string& content) { content.resize(content.size() / 2); };
  const auto flip = [](std::string& content) { content[content.size() - 100] ^= 1; };  // a bit of some weight
  const auto reword = [](std::string& content) { content.replace(content.find("white"), 5, "wheat"); };
  expect_refused("checkpoints/denoiser.safetensors", cut);
  expect_refused("checkpoints/denoiser.safetensors", flip);
  expect_refused("texts.json", cut);
  expect_refused("texts.json", reword);
  EXPECT_EQ(generate().code, 0) << "it refuses what is sound too";

  const fs::path metrics = run_directory() / "metrics.json";
  const std::string sound = read_text(metrics);
  std::string altered = sound;
  altered.replace(altered.rfind("\"name\""), 6, "\"nbme\"");  // of a score
  write_atomically(metrics, altered);
  fs::remove(file("x.png"));
  expect_unusable(blip3u({"run", "tiny.yaml"}), metrics.lexically_relative(folder_.path()));
  fs::remove(metrics);
  EXPECT_EQ(blip3u({"run", "tiny.yaml"}).code, 0);
  EXPECT_EQ(read_text(metrics), sound);
}

TEST_F(Failure, ACheckpointOfAnotherArchitectureIsRefused) {
  ASSERT_EQ(blip3u({"run", "tiny.yaml"}).code, 0);
  ASSERT_EQ(blip3u({"run", "tiny.yaml", "name=wide", "pipeline.denoiser.width=32"}).code, 0);
  const fs::path checkpoint = run_directory() / "checkpoints/denoiser.safetensors";
  fs::copy_file(run_directory("runs", "wide") / "checkpoints/denoiser.safetensors", checkpoint,
                fs::copy_options::overwrite_existing);
  const std::string run = run_directory().string();
  EXPECT_EQ(
      blip3u({"infer", "--run", run, "--task", "vqa", "--input_path", "pictures/1.png", "--question", "what?"}).code, 0)
      << "which needs no denoiser";
  const Outcome outcome = blip3u({"generate", "--run", run, "--prompt", "a white square", "--output_path", "x.png"});
  expect_unusable(outcome, checkpoint);
  EXPECT_THAT(outcome.err, HasSubstr("\n  denoiser/positions: [4,32] in the file, [4,16] in the model\n"));
}

TEST_F(Failure, AMissingGpuIsAnError) {
  expect_failure({"device=cuda:99"}, 1, "device `cuda:99`: ");
  if (!fs::exists("/dev/nvidiactl")) expect_failure({"device=cuda"}, 1, "device `cuda`: ");
}

}  // namespace
}  // namespace blip3u::testing
