// Runs the real program.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "temporary_folder.h"

namespace blip3u::testing {

struct Outcome {
  int code = -1;
  std::string out, err;
};

/// What a file holds; nothing while it is not there.
inline std::string content_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// Starts a program in a folder with more environment variables ("NAME=value"), its output going to two files.
inline pid_t start(const std::vector<std::string>& arguments, const std::filesystem::path& folder,
                   const std::vector<std::string>& environment, const std::filesystem::path& out,
                   const std::filesystem::path& err, const std::filesystem::path& program = BLIP3U_PROGRAM) {
  const pid_t child = fork();
  if (child != 0) return child;
  // What this process ignores the program would ignore too, whether or not it says so itself.
  for (const int number : {SIGXFSZ, SIGPIPE, SIGINT}) signal(number, SIG_DFL);
  const auto redirect = [](const std::filesystem::path& file, int to) {
    dup2(open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), to);
  };
  redirect(out, STDOUT_FILENO);
  redirect(err, STDERR_FILENO);
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  for (const std::string& variable : environment) putenv(const_cast<char*>(variable.c_str()));
  if (chdir(folder.c_str()) == 0) execv(program.c_str(), argv.data());
  _exit(127);
}

/// Waits for the end of a program; 128 plus the signal if one ended it.
inline int exit_code(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Whether a program has ended, which leaves its exit code to be asked for.
inline bool has_ended(pid_t child) {
  siginfo_t state{};
  return waitid(P_PID, static_cast<id_t>(child), &state, WEXITED | WNOHANG | WNOWAIT) == 0 && state.si_pid == child;
}

/// Waits until a condition holds, but no longer than a minute.
template <class Condition>
bool eventually(const Condition& condition) {
  for (int i = 0; i < 6000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

/// A whole call of a program. `output` sends its standard output elsewhere instead of capturing it.
inline Outcome call(const std::vector<std::string>& arguments, const std::filesystem::path& folder = "/",
                    const std::vector<std::string>& environment = {}, const std::filesystem::path& output = {},
                    const std::filesystem::path& program = BLIP3U_PROGRAM) {
  const TemporaryFolder captured("blip3u-cli-captured");
  const std::filesystem::path out = output.empty() ? captured.path() / "out" : output, err = captured.path() / "err";
  const int code = exit_code(start(arguments, folder, environment, out, err, program));
  return {code, output.empty() ? content_of(out) : std::string(), content_of(err)};
}

/// Expects how everything is refused: by an exit code, one line on standard error that says why, and no output.
inline void expect_refusal(const Outcome& outcome, int code, const std::string& reason) {
  EXPECT_EQ(outcome.code, code) << outcome.err;
  EXPECT_THAT(outcome.out, ::testing::IsEmpty());
  EXPECT_THAT(outcome.err, ::testing::StartsWith("blip3u: "));
  EXPECT_THAT(outcome.err, ::testing::HasSubstr(reason));
  EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << outcome.err;
}

}  // namespace blip3u::testing
