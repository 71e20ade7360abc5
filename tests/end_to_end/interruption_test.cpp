// Runs that are killed, interrupted or kept waiting.
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <random>
#include <sstream>
#include <thread>

#include "end_to_end/support.h"
#include "io/interrupt.h"
#include "io/lock.h"
#include "pipeline/create.h"
#include "pipeline/pipeline.h"
#include "recipe/recipe.h"
#include "registry/registry.h"

namespace blip3u::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::HasSubstr;

class Interruption : public EndToEnd {
 protected:
  /// A run that takes a second or so and saves its progress 44 times.
  static std::vector<std::string> long_run(const std::string& output) {
    std::vector<std::string> arguments = {"run", "tiny.yaml", "output=" + output};
    for (const char* stage : {"encoder", "decoder", "backbone", "denoiser"}) {
      arguments.push_back(fmt::format("training.{}.steps=60", stage));
      arguments.push_back(fmt::format("training.{}.checkpoint_every=5", stage));
    }
    return arguments;
  }

  /// When the unfinished stage last saved its progress; the beginning of time while there is no such file.
  fs::file_time_type progress_saved(const std::string& output) const {
    std::error_code none;
    fs::file_time_type latest = fs::file_time_type::min();
    for (const auto& stage : fs::directory_iterator(file(output) / "stages", none)) {
      const auto saved = fs::last_write_time(stage.path() / "progress.safetensors", none);
      if (!none) latest = std::max(latest, saved);
    }
    return latest;
  }

  pid_t start_program(const std::vector<std::string>& arguments) const {
    return start(arguments, folder_.path(), {}, file("out"), file("err"));
  }
  std::string said() const { return content_of(file("err")); }

  /// Starts the program and waits until it has saved progress once more, or has ended.
  pid_t start_until_progress(const std::vector<std::string>& arguments, const std::string& output) const {
    const auto before = progress_saved(output);
    const pid_t child = start_program(arguments);
    EXPECT_TRUE(eventually([&] { return progress_saved(output) > before || has_ended(child); })) << said();
    return child;
  }

  /// Starts the program and waits until it has said something, or has ended.
  pid_t start_until_said(const std::vector<std::string>& arguments, const std::string& words) const {
    const pid_t child = start_program(arguments);
    EXPECT_TRUE(eventually([&] { return said().find(words) != std::string::npos || has_ended(child); })) << said();
    return child;
  }

  /// Has the task ask so much of each test picture that it takes many batches.
  void ask_in_many_batches() const {
    nlohmann::json questions = nlohmann::json::array();
    for (int i = 0; i < 400; ++i) questions.push_back({{"question", "what color is it?"}, {"answer", "white"}});
    std::istringstream lines(content_of(file("pictures/captions.jsonl")));
    std::string asking;
    for (std::string line; std::getline(lines, line);) {
      nlohmann::json picture = nlohmann::json::parse(line);
      if (picture.at("split") == "test") picture["questions"] = questions;
      asking += picture.dump() + "\n";
    }
    folder_.write("pictures/captions.jsonl", asking);
  }

  fs::path replies_file(const std::string& output) const {
    return fs::exists(file(output)) ? run_directory(output) / "replies/tasks.vqa/replies.jsonl" : fs::path();
  }
  std::string replies(const std::string& output) const { return content_of(replies_file(output)); }

  /// Expects a run to end in the same bits whether or not signals have ended it again and again.
  void expect_same_bits_after(int signal) {
    ASSERT_EQ(blip3u(long_run("calm")).code, 0);
    std::mt19937 random(1);  // NOLINT: the moments should repeat
    int hits = 0;            // that met a live process which had saved something to go on from
    for (int tries = 0, code = -1; tries < 6 && code != 0; ++tries) {
      const pid_t child = start_until_progress(long_run("disturbed"), "disturbed");
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 150));  // any moment after that
      kill(child, signal);
      code = exit_code(child);
      EXPECT_THAT(code, AnyOf(128 + signal, 0)) << said();
      if (code != 0 && progress_saved("disturbed") != fs::file_time_type::min()) ++hits;
      if (signal == SIGINT) expect_nothing_half_written();
    }
    EXPECT_GE(hits, 2) << "the run is too short to be disturbed";
    const Outcome last = blip3u(long_run("disturbed"));
    ASSERT_EQ(last.code, 0) << last.err;
    EXPECT_EQ(results(run_directory("disturbed")), results(run_directory("calm")));
    expect_nothing_half_written();  // what a killed process left goes when its file is written after all
  }
};

TEST_F(Interruption, KilledAtAnyMomentItEndsInTheSameBits) { expect_same_bits_after(SIGKILL); }

TEST_F(Interruption, CtrlCAtAnyMomentEndsInTheSameBits) { expect_same_bits_after(SIGINT); }

TEST_F(Interruption, CtrlCSavesAndTheNextRunGoesOn) {
  const auto interrupted_after = [&] {
    const pid_t child = start_until_progress({"run", "tiny.yaml", "training.encoder.steps=1000000"}, "runs");
    kill(child, SIGINT);
    EXPECT_EQ(exit_code(child), 130);
    const std::string err = said(), message = "blip3u: interrupted in stage `encoder` after step ";
    const auto place = err.find(message);
    EXPECT_NE(place, std::string::npos) << err;
    return place == std::string::npos ? 0 : std::stoi(err.substr(place + message.size()));
  };
  const int first = interrupted_after();
  EXPECT_GE(first, 2) << "it saves after every second step";
  EXPECT_EQ(status(), "interrupted");
  EXPECT_GT(interrupted_after(), first);
  expect_nothing_half_written();
}

TEST_F(Interruption, CtrlCEndsTheWaitForAnotherRun) {
  fs::create_directory(file("taken"));
  const FileLock other(file("taken/.lock"));
  const pid_t child = start_until_said({"train", "--config", "tiny.yaml", "--output_dir", "taken"}, "waiting for it");
  kill(child, SIGINT);
  EXPECT_EQ(exit_code(child), 130);
  EXPECT_THAT(said(), HasSubstr("waiting for it"));
  EXPECT_EQ(std::distance(fs::directory_iterator(file("taken")), {}), 1) << "it did something before its turn";
}

TEST_F(Interruption, CtrlCInAnEvaluationLosesNoReply) {
  ask_in_many_batches();
  ASSERT_EQ(blip3u({"run", "tiny.yaml", "output=calm"}).code, 0);
  const std::string all = replies("calm"), scores = content_of(run_directory("calm") / "metrics.json");
  const std::vector<std::string> run = {"run", "tiny.yaml", "output=disturbed"};
  const std::vector<std::string> evaluate = {"evaluate", "--task", "vqa", "--checkpoint",
                                             run_directory("calm").string()};
  for (const auto& command : {run, evaluate}) {
    const std::string output = command == run ? "disturbed" : "calm";
    const pid_t child = start_program(command);
    const auto some = [&] {
      const std::string now = replies(output);  // once, as those of before may go meanwhile
      return !now.empty() && now.size() < all.size();
    };
    EXPECT_TRUE(eventually([&] { return some() || has_ended(child); })) << said();
    kill(child, SIGINT);
    EXPECT_EQ(exit_code(child), 130) << said();
    const std::string kept = replies(output);
    EXPECT_LT(kept.size(), all.size());
    EXPECT_TRUE(all.starts_with(kept)) << kept;
    write_atomically(replies_file(output), " " + kept);  // the same to read, and gone if it is asked again
    const Outcome last = blip3u(command);
    ASSERT_EQ(last.code, 0) << last.err;
    EXPECT_TRUE(replies(output) == " " + all) << command.front();
    EXPECT_EQ(content_of(run_directory(output) / "metrics.json"), scores);
  }
  expect_nothing_half_written();
}

TEST_F(Interruption, CtrlCInGenerateLeavesNoPicture) {
  ASSERT_EQ(blip3u({"run", "tiny.yaml"}).code, 0);
  const pid_t child = start_until_said(
      {"generate", "--prompt", "a white square", "--output_path", "x.png", "--num_images", "10000"}, "the latest run");
  kill(child, SIGINT);
  EXPECT_EQ(exit_code(child), 130);
  EXPECT_THAT(said(), HasSubstr("blip3u: interrupted"));
  for (const auto& entry : fs::directory_iterator(folder_.path())) EXPECT_NE(entry.path().extension().string(), ".png");
  expect_nothing_half_written();
}

TEST_F(Interruption, CtrlCIsHeardBetweenTheStepsOfASampling) {
  Registry registry({BLIP3U_PLUGIN_FOLDER});
  const Recipe recipe = load_recipe(file("tiny.yaml"), {}, registry);
  auto tokenizer = make_tokenizer(recipe);
  dynamic_cast<LearnsVocabulary&>(*tokenizer).fit({"a white square"});
  Pipeline pipeline(recipe, std::move(tokenizer), at::kCPU);
  const Request request{.messages = {{Role::user, {text_part("a white square")}}}, .want = Want::image, .seed = 1};
  const auto generate = [&] { return pipeline.respond({&request, 1}, {}); };
  EXPECT_NO_THROW(generate());
  EXPECT_EXIT(
      {
        install_interrupt_handler();
        std::raise(SIGINT);
        try {
          generate();
        } catch (const Interrupted&) {
          std::_Exit(130);
        }
        std::_Exit(0);
      },
      ::testing::ExitedWithCode(130), "");
}

}  // namespace
}  // namespace blip3u::testing
