#include "io/files.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "io/command.h"
#include "io/hash.h"
#include "io/progress.h"
#include "running/run_directory.h"
#include "support.h"

namespace blip3u {
namespace {

using ::testing::HasSubstr;

TEST(Hash, PublishedVectors) {  // FIPS 180-2, appendix B
  EXPECT_EQ(sha256_text("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_text(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const TemporaryFolder folder;
  write_atomically(folder / "million", std::string(1'000'000, 'a'));
  EXPECT_EQ(sha256_file(folder / "million"), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  write_atomically(folder / "tail", "12345abc");
  EXPECT_EQ(sha256_file(folder / "tail", 5), sha256_text("abc"));
  EXPECT_THAT(message_of([&] { sha256_file(folder / "none"); }), HasSubstr("none"));
}

TEST(Files, WriteReplaceRead) {
  const TemporaryFolder folder;
  const auto path = folder / "new/below/file";
  write_atomically(path, "first");
  write_atomically(path, std::vector<std::string_view>{"sec", "ond", std::string_view("\0", 1)});
  EXPECT_EQ(read_text(path), std::string("second\0", 7));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(path.parent_path()), {}), 1);
}

TEST(Files, APlainNameIsOfTheWorkingFolder) {
  const TemporaryFolder folder;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  EXPECT_EQ(message_of([] { write_atomically("plain", "content"); }), "");
  std::filesystem::current_path(before);
  EXPECT_EQ(read_text(folder / "plain"), "content");
}

TEST(Files, MessagesNameThePath) {
  const TemporaryFolder folder;
  EXPECT_THAT(message_of([&] { read_text(folder / "none"); }), HasSubstr("none: cannot be opened: No such file"));
  EXPECT_THAT(message_of([&] { read_text(folder.path()); }), HasSubstr("is a folder"));
  write_atomically(folder / "file", "x");
  EXPECT_THAT(message_of([&] { write_atomically(folder / "file/below", "x"); }), HasSubstr("in the way"));
  std::filesystem::create_directory(folder / "taken");
  EXPECT_THAT(message_of([&] { write_atomically(folder / "taken", "x"); }), HasSubstr("a folder of that name"));
  EXPECT_EQ(folder.entries(), 2u);
}

TEST(Files, PipesAreReadToTheirEnd) {
  const TemporaryFolder folder;
  const auto pipe = folder / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const std::string content = std::string(100'000, 'x') + "end";  // more than a pipe holds at once
  std::thread writer([&] { put(pipe, content); });
  EXPECT_EQ(read_text(pipe), content);
  writer.join();
  EXPECT_THAT(message_of([] { read_text("/dev/zero"); }), HasSubstr("/dev/zero: gives more than 64 MiB"));
}

TEST(Files, DiskThatFillsUp) {
  const TemporaryFolder folder;
  write_atomically(folder / "file", "old");
  std::string message;
  {
    const FullDisk disk(1000);
    message = message_of([&] { write_atomically(folder / "file", std::string(5000, 'x')); });
  }
  EXPECT_THAT(message, HasSubstr((folder / "file").string() + ": cannot be written: "));
  EXPECT_THAT(message, HasSubstr("File too large"));
  EXPECT_EQ(read_text(folder / "file"), "old");
  EXPECT_EQ(folder.entries(), 1u);
}

TEST(Files, NoSpaceLeftLeavesTheOldFile) {
  const TemporaryFolder folder;
  write_atomically(folder / "file", "old");
  expect_no_space_for(folder / "file", [&] { write_atomically(folder / "file", "new"); });
  const auto write_manifest = [&](const char* status) {
    RunDirectory(folder.path()).write_manifest(nlohmann::json::object({{"status", status}}));
  };
  write_manifest("running");
  expect_no_space_for(folder / "manifest.json", [&] { write_manifest("complete"); });
}

/// The temporary file that another process of this machine would write.
std::filesystem::path partial_of(const std::filesystem::path& target, pid_t process) {
  std::string name = partial_path(target).filename().string();
  name.resize(name.rfind('-') + 1);
  return target.parent_path() / (name + std::to_string(process));
}

pid_t number_of_nobody() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  return child;
}

TEST(Files, RemovesWhatAKilledProcessLeft) {
  const TemporaryFolder folder;
  const auto of_the_dead = partial_of(folder / "file", number_of_nobody());
  const auto of_the_living = partial_of(folder / "file", getppid());
  put(of_the_dead, "half");
  put(of_the_living, "half");
  write_atomically(folder / "file", "whole");
  EXPECT_FALSE(std::filesystem::exists(of_the_dead));
  EXPECT_TRUE(std::filesystem::exists(of_the_living));
}

// The number belongs to nobody here; there it may belong to a process that writes.
TEST(Files, LeavesWhatAnotherHostIsWritingUntilItIsOld) {
  const TemporaryFolder folder;
  const std::string number = std::to_string(number_of_nobody());
  const auto fresh = folder / (".file.partial-0123456789ab-" + number), old = folder / (".file.partial-" + number);
  put(fresh, "half");
  put(old, "half");
  std::filesystem::last_write_time(old, std::filesystem::file_time_type::clock::now() - std::chrono::days(8));
  write_atomically(folder / "file", "whole");
  EXPECT_TRUE(std::filesystem::exists(fresh));
  EXPECT_FALSE(std::filesystem::exists(old));
  EXPECT_NE(partial_path(folder / "file").filename().string(), ".file.partial-" + std::to_string(getpid()));
}

TEST(Command, OutputAndStatus) {
  const CommandResult result = run_command({"sh", "-c", "echo out; echo err >&2; read x || exit 3"});
  EXPECT_TRUE(result.started);
  EXPECT_EQ(result.status, 3);
  EXPECT_EQ(result.output, "out\nerr\n");
  EXPECT_FALSE(run_command({"no-such-program-at-all"}).started);
  EXPECT_EQ(run_command({"sh", "-c", "kill -9 $$"}).status, 137);
}

TEST(Progress, PlainLines) {
  EXPECT_EQ(duration_text(8.4), "8 s");
  EXPECT_EQ(duration_text(200), "3 min 20 s");
  EXPECT_EQ(duration_text(7500), "2 h 5 min");
  testing::internal::CaptureStderr();
  {
    ProgressBar bar("stage", 10);
    bar.update(5, "loss 1.0");  // within ten seconds: silent where there is no terminal
    bar.finish("loss 0.5");
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "stage done in 0 s  loss 0.5\n");
}

}  // namespace
}  // namespace blip3u
