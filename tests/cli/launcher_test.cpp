// ./blip3u itself, before there is a program: in a copy that is alone in its folder, between tools that only pretend.
#include <signal.h>

#include <cstdlib>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/support.h"

namespace blip3u::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const fs::path launcher = BLIP3U_SOURCE_DIR "/blip3u";

class Launcher : public ::testing::Test {
 protected:
  Launcher() {
    fs::copy_file(launcher, copy_);
    for (const char* kind : {"cpu", "cuda"}) {  // the machine decides which of them it reads
      folder_.write(
          std::string("cmake/libtorch-") + kind + ".txt",
          "torch==1 --hash=sha256:" + std::string(64, 'a') + "\nparts==2 --hash=sha256:" + std::string(64, 'b') + "\n");
    }
    tool("uname", "echo x86_64");
    tool("dpkg-query", "echo installed");
    tool("apt-get", "exit 1");
    tool("unzip", R"(for into; do :; done; mkdir -p "$into/torch" "$into/nvidia")");
  }

  /// Puts a tool before all others of its name.
  void tool(const std::string& name, const std::string& script) {
    fs::permissions(folder_.write("bin/" + name, "#!/bin/sh\n" + script + "\n"), fs::perms::owner_all);
  }
  Outcome launch() { return call({"--help"}, folder_.path(), environment_, {}, copy_); }
  bool is_stamped(const std::string& wheel) { return fs::exists(folder_.path() / ".deps/wheels" / wheel); }

  const TemporaryFolder folder_{"blip3u-cli-launcher"};
  const fs::path copy_ = folder_.path() / "blip3u";
  const std::vector<std::string> environment_ = {
      "PATH=" + (folder_.path() / "bin").string() + ":" + std::getenv("PATH"), "BLIP3U_LIBTORCH="};
};

TEST_F(Launcher, RefusesAFolderThatHoldsNoLibTorch) {
  expect_refusal(call({"--help"}, "/", {"BLIP3U_LIBTORCH=/nowhere"}, {}, launcher), 1,
                 "BLIP3U_LIBTORCH=/nowhere holds no LibTorch");
}

TEST_F(Launcher, AFetchThatFailsLeavesNoStamp) {
  tool("python3", "echo no route to host; exit 1");
  const Outcome outcome = launch();
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("blip3u: fetching torch==1\n"), HasSubstr("no route to host"),
                                 HasSubstr("blip3u: could not fetch torch==1; ./blip3u tries again\n")));
  EXPECT_FALSE(is_stamped("torch==1-aaaaaaaaaaaa"));
  EXPECT_FALSE(fs::exists(folder_.path() / ".deps/torch"));
}

TEST_F(Launcher, AfterCtrlCInAFetchTheNextCallGoesOn) {
  // Brings torch at once; the other wheel never comes.
  tool("python3", R"(for requirements; do :; done
read -r wanted <"$requirements"
case $wanted in torch*) exit 0 ;; esac
echo $$ >begun.new
mv begun.new begun
exec sleep 60)");
  const fs::path begun = folder_.path() / "begun", err = folder_.path() / "err";
  const pid_t child = start({"--help"}, folder_.path(), environment_, folder_.path() / "out", err, copy_);
  EXPECT_TRUE(eventually([&] { return fs::exists(begun) || has_ended(child); }));
  ASSERT_TRUE(fs::exists(begun)) << content_of(err);
  kill(child, SIGINT);  // a terminal sends it to both
  kill(std::stoi(content_of(begun)), SIGINT);
  EXPECT_EQ(exit_code(child), 130);
  EXPECT_THAT(content_of(err), HasSubstr("blip3u: interrupted; the next ./blip3u goes on from here\n"));
  EXPECT_TRUE(is_stamped("torch==1-aaaaaaaaaaaa"));
  EXPECT_FALSE(is_stamped("parts==2-bbbbbbbbbbbb"));

  tool("python3", "exit 0");
  tool("cmake", "exit 1");
  const Outcome next = launch();
  EXPECT_EQ(next.code, 1);
  EXPECT_THAT(next.err, AllOf(Not(HasSubstr("fetching torch")), HasSubstr("blip3u: fetching parts==2\n"),
                              HasSubstr("blip3u: CMake could not configure the build\n")));
  EXPECT_TRUE(is_stamped("parts==2-bbbbbbbbbbbb"));
}

}  // namespace
}  // namespace blip3u::testing
