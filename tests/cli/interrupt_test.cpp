// Ctrl-C. The program is held where the test wants it by a pipe without a writer as its input image.
#include <signal.h>
#include <sys/stat.h>

#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "cli/support.h"

namespace blip3u::testing {
namespace {

class Interrupt : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(mkfifo(pipe_.c_str(), 0600), 0);
    child_ = start({"infer", "--task", "vqa", "--question", "why?", "--input_path", pipe_.string()}, "/", {},
                   folder_.path() / "out", folder_.path() / "err");
    ASSERT_TRUE(eventually([&] { return mask("SigCgt:") >> (SIGINT - 1) & 1; })) << "no handler was installed";
  }

  /// A signal mask in the child's status; 0 when the child has gone.
  unsigned long mask(const std::string& name) const {
    std::ifstream status("/proc/" + std::to_string(child_) + "/status");
    for (std::string word; status >> word;) {
      if (word == name && status >> word) return std::stoul(word, nullptr, 16);
    }
    return 0;
  }

  void interrupt() {
    kill(child_, SIGINT);
    ASSERT_TRUE(eventually([&] { return mask("ShdPnd:") == 0; })) << "the signal was not delivered";
  }

  const TemporaryFolder folder_{"blip3u-cli-interrupt"};
  const std::filesystem::path pipe_ = folder_.path() / "pipe";
  pid_t child_ = -1;
};

TEST_F(Interrupt, TheFirstLetsTheWorkEndInOrder) {
  interrupt();
  EXPECT_EQ(waitpid(child_, nullptr, WNOHANG), 0) << "it ended at once";
  signal(SIGPIPE, SIG_IGN);  // the program may be done with the pipe before this has gone through it
  std::ofstream(pipe_) << "not an image";
  EXPECT_EQ(exit_code(child_), 130);
  EXPECT_EQ(std::filesystem::file_size(folder_.path() / "out"), 0U);
  EXPECT_GT(std::filesystem::file_size(folder_.path() / "err"), 0U);
}

TEST_F(Interrupt, TheSecondEndsTheProgramAtOnce) {
  interrupt();
  interrupt();
  EXPECT_EQ(exit_code(child_), 130);
}

}  // namespace
}  // namespace blip3u::testing
