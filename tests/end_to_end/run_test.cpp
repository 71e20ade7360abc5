// The program from data to answers, on a model so small that it learns nothing: what is tested is that runs are
// complete, repeatable, resumable and sufficient for inference.
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <random>
#include <thread>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "blip3u/image.h"
#include "cli/support.h"
#include "io/files.h"
#include "io/support.h"

namespace blip3u::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr const char* recipe = R"(name: tiny
seed: 3
device: cpu
data: {plugin: image_folder, path: pictures, image_size: 32, test_share: 0.3}
tokenizer: words
pipeline:
  encoder: {plugin: clip, grid: 2, width: 16, layers: 1, heads: 2, feature_width: 8, embedding_width: 8,
            pooling_width: 8, text_width: 8, text_heads: 2, reconstruction_width: 16, reconstruction_heads: 2}
  backbone: {plugin: gpt, width: 16, layers: 1, heads: 2, kv_heads: 1, hidden: 16}
  denoiser: {plugin: dit, width: 16, layers: 1, heads: 2, queries: 2}
  sampler: {plugin: flow_matching, steps: 3}
  decoder: {plugin: unclip, width: 16, layers: 1, heads: 2, steps: 2}
training:
  - {name: encoder, objective: encoder, train: [encoder], steps: 6, batch: 4, checkpoint_every: 2}
  - {name: decoder, objective: decoder, train: [decoder], steps: 6, batch: 4, checkpoint_every: 2}
  - {name: backbone, objective: answer, train: [backbone], steps: 6, batch: 4, checkpoint_every: 2}
  - {name: denoiser, objective: generate, train: [denoiser], steps: 6, batch: 4, checkpoint_every: 2, average_decay: 0.9}
evaluation: [tasks/vqa]
)";

class EndToEnd : public ::testing::Test {
 protected:
  EndToEnd() : folder_("blip3u-end-to-end") {
    std::string captions;
    for (int i = 0; i < 20; ++i) {
      const std::string name = fmt::format("{}.png", i);
      fs::create_directories(folder_.path() / "pictures");
      write_png(folder_.path() / "pictures" / name, at::full({3, 32, 32}, (i % 2) * 2.0 - 1.0));
      const std::string colour = i % 2 ? "white" : "black";
      captions += nlohmann::json{{"file", name},
                                 {"caption", "a " + colour + " square"},
                                 {"questions", {{{"question", "what color is it?"}, {"answer", colour}}}}}
                      .dump() +
                  "\n";
    }
    folder_.write("pictures/captions.jsonl", captions);
    folder_.write("tiny.yaml", recipe);
  }

  Outcome blip3u(std::vector<std::string> arguments) { return call(arguments, folder_.path()); }

  // The one run directory of an output folder.
  fs::path run_directory(const std::string& output = "runs") {
    for (const auto& entry : fs::directory_iterator(folder_.path() / output)) {
      if (entry.path().filename().string().starts_with("tiny-")) return entry.path();
    }
    return {};
  }
  fs::path file(const std::string& name) { return folder_.path() / name; }

  // Expects a run that fails with this exit code and reason, and leaves no file half written.
  void expect_failure(const std::vector<std::string>& overrides, int code, const std::string& reason) {
    std::vector<std::string> arguments = {"run", "tiny.yaml"};
    arguments.insert(arguments.end(), overrides.begin(), overrides.end());
    const Outcome outcome = blip3u(arguments);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_THAT(outcome.out, ::testing::IsEmpty());
    EXPECT_THAT(outcome.err, HasSubstr(reason));
    expect_nothing_half_written();
  }
  void expect_nothing_half_written() {
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
      EXPECT_THAT(entry.path().filename().string(), ::testing::Not(HasSubstr(".partial-")));
    }
  }

  // When the unfinished stage last saved its progress; the beginning of time while there is no such file.
  fs::file_time_type progress_saved() {
    std::error_code none;
    fs::file_time_type latest = fs::file_time_type::min();
    for (const auto& stage : fs::directory_iterator(file("runs/stages"), none)) {
      const auto saved = fs::last_write_time(stage.path() / "progress.safetensors", none);
      if (!none) latest = std::max(latest, saved);
    }
    return latest;
  }

  TemporaryFolder folder_;
};

TEST_F(EndToEnd, ARunIsCompleteAndServesInference) {
  const Outcome first = blip3u({"run", "tiny.yaml"});
  ASSERT_EQ(first.code, 0) << first.err;
  const fs::path run = run_directory();
  for (const char* name : {"recipe.yaml", "resolved.yaml", "manifest.json", "metrics.json", "report.html", "texts.json",
                           "checkpoints/denoiser.safetensors", "losses/denoiser.png", "items/vqa.jsonl"}) {
    EXPECT_TRUE(fs::exists(run / name)) << name;
  }
  EXPECT_EQ(nlohmann::json::parse(read_text(run / "manifest.json"))["status"], "complete");

  const Outcome again = blip3u({"run", "tiny.yaml"});
  EXPECT_EQ(again.code, 0);
  EXPECT_THAT(again.err, HasSubstr("already complete"));
  const Outcome resolved = blip3u({"run", (run / "resolved.yaml").string()});
  EXPECT_EQ(resolved.code, 0);
  EXPECT_THAT(resolved.err, HasSubstr("already complete"));

  fs::rename(file("pictures"), file("moved"));  // a run directory is enough
  const auto generate = [&](const std::string& name, const std::string& seed) {
    const Outcome made = blip3u({"generate", "--prompt", "a white square", "--output_path", name, "--seed", seed});
    EXPECT_EQ(made.code, 0) << made.err;
    return read_text(file(name));
  };
  const std::string one = generate("one.png", "1");
  EXPECT_EQ(generate("same.png", "1"), one);
  EXPECT_NE(generate("other.png", "2"), one);
  EXPECT_EQ(read_image(file("one.png")).sizes(), (at::IntArrayRef{3, 32, 32}));

  const Outcome answered =
      blip3u({"infer", "--task", "vqa", "--input_path", "moved/1.png", "--question", "what color is it?"});
  EXPECT_EQ(answered.code, 0) << answered.err;
  EXPECT_THAT(answered.out, ::testing::EndsWith("\n"));
}

TEST_F(EndToEnd, ChangingTheSamplerKeepsWhatItDoesNotTouch) {
  ASSERT_EQ(blip3u({"run", "tiny.yaml"}).code, 0);
  const Outcome other = blip3u({"run", "tiny.yaml", "pipeline.sampler.plugin=regression"});
  ASSERT_EQ(other.code, 0) << other.err;
  for (const char* stage : {"encoder", "decoder", "backbone"}) {
    EXPECT_THAT(other.err, HasSubstr(fmt::format("stage {}: taken from", stage)));
  }
  EXPECT_THAT(other.err, ::testing::Not(HasSubstr("stage denoiser: taken from")));
}

TEST_F(EndToEnd, KilledAtAnyMomentItEndsInTheSameBits) {
  ASSERT_EQ(blip3u({"run", "tiny.yaml", "output=calm"}).code, 0);
  std::mt19937 random(1);  // NOLINT: the moments should repeat
  int kills = 0;
  while (kills < 5) {
    const pid_t child =
        start({"run", "tiny.yaml", "output=killed"}, folder_.path(), {}, file("killed.out"), file("killed.err"));
    std::this_thread::sleep_for(std::chrono::milliseconds(300 + random() % 1500));
    kill(child, SIGKILL);
    exit_code(child);
    ++kills;
  }
  const Outcome last = blip3u({"run", "tiny.yaml", "output=killed"});
  ASSERT_EQ(last.code, 0) << last.err;
  const fs::path calm = run_directory("calm"), killed = run_directory("killed");
  EXPECT_EQ(read_text(killed / "metrics.json"), read_text(calm / "metrics.json"));
  EXPECT_EQ(read_text(killed / "items/vqa.jsonl"), read_text(calm / "items/vqa.jsonl"));
  const auto picture = [&](const fs::path& run, const std::string& name) {
    EXPECT_EQ(blip3u({"generate", "--run", run.string(), "--prompt", "a black square", "--output_path", name}).code, 0);
    return read_text(file(name));
  };
  EXPECT_EQ(picture(killed, "killed.png"), picture(calm, "calm.png"));
}

TEST_F(EndToEnd, CtrlCSavesAndTheNextRunGoesOn) {
  const auto interrupted_after = [&] {
    const auto before = progress_saved();
    const pid_t child =
        start({"run", "tiny.yaml", "training.encoder.steps=1000000"}, folder_.path(), {}, file("out"), file("err"));
    for (int i = 0; i < 6000 && progress_saved() == before; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    kill(child, SIGINT);
    EXPECT_EQ(exit_code(child), 130);
    const std::string err = read_text(file("err")), message = "blip3u: interrupted in stage `encoder` after step ";
    const auto place = err.find(message);
    EXPECT_NE(place, std::string::npos) << err;
    return place == std::string::npos ? 0 : std::stoi(err.substr(place + message.size()));
  };
  const int first = interrupted_after();
  EXPECT_GE(first, 2) << "it saves after every second step";
  EXPECT_EQ(nlohmann::json::parse(read_text(run_directory() / "manifest.json"))["status"], "interrupted");
  EXPECT_GT(interrupted_after(), first);
  expect_nothing_half_written();
}

TEST_F(EndToEnd, ADiskThatFillsUpStopsItAndTheNextRunGoesOn) {
  {
    const FullDisk disk(8000);  // less than a checkpoint
    expect_failure({}, 1, "cannot be written: File too large");
  }
  EXPECT_EQ(blip3u({"run", "tiny.yaml"}).code, 0);
}

TEST_F(EndToEnd, BadDataStopsItBeforeAnythingIsLearned) {
  expect_failure({"data.path=absent"}, 1, "there is no folder absent");
  for (const auto& entry : fs::directory_iterator(file("pictures"))) {
    if (entry.path().extension() == ".png") fs::resize_file(entry.path(), 40);
  }
  expect_failure({}, 1, ".png: truncated or damaged PNG");
}

TEST_F(EndToEnd, APluginWhoseFactoryThrowsIsThePluginsFault) {
  expect_failure({"pipeline.sampler.plugin=throwing/foreign",
                  fmt::format("plugin_folders=[{}/broken_plugins/throwing]", BLIP3U_BUILD_DIR)},
                 3, "sampler `throwing/foreign`");
  EXPECT_EQ(nlohmann::json::parse(read_text(run_directory() / "manifest.json"))["status"], "failed");
}

TEST_F(EndToEnd, AnAlteredCheckpointIsRefused) {
  ASSERT_EQ(blip3u({"run", "tiny.yaml"}).code, 0);
  const fs::path checkpoint = run_directory() / "checkpoints" / "denoiser.safetensors";
  std::string bytes = read_text(checkpoint);
  bytes[bytes.size() - 100] ^= 1;
  write_atomically(checkpoint, bytes);
  const Outcome outcome = blip3u({"generate", "--prompt", "a white square", "--output_path", "x.png"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("denoiser.safetensors"));
  EXPECT_FALSE(fs::exists(file("x.png")));
}

TEST_F(EndToEnd, AMissingGpuIsAnError) {
  if (fs::exists("/dev/nvidiactl")) return;  // there is one
  const Outcome outcome = blip3u({"run", "tiny.yaml", "device=cuda"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("device `cuda`"));
}

}  // namespace
}  // namespace blip3u::testing
