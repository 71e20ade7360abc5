// Runs the real program.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "temporary_folder.h"

namespace blip3u::testing {

struct Outcome {
  int code = -1;
  std::string out, err;
};

/// Starts the program in a folder with more environment variables ("NAME=value"), its output going to two files.
inline pid_t start(const std::vector<std::string>& arguments, const std::filesystem::path& folder,
                   const std::vector<std::string>& environment, const std::filesystem::path& out,
                   const std::filesystem::path& err) {
  const pid_t child = fork();
  if (child != 0) return child;
  const auto redirect = [](const std::filesystem::path& file, int to) {
    dup2(open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), to);
  };
  redirect(out, STDOUT_FILENO);
  redirect(err, STDERR_FILENO);
  std::vector<char*> argv{const_cast<char*>(BLIP3U_PROGRAM)};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  for (const std::string& variable : environment) putenv(const_cast<char*>(variable.c_str()));
  if (chdir(folder.c_str()) == 0) execv(BLIP3U_PROGRAM, argv.data());
  _exit(127);
}

/// Waits for the end of a program; 128 plus the signal if one ended it.
inline int exit_code(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// A whole call of the program. `output` sends its standard output elsewhere instead of capturing it.
inline Outcome call(const std::vector<std::string>& arguments, const std::filesystem::path& folder = "/",
                    const std::vector<std::string>& environment = {}, const std::filesystem::path& output = {}) {
  const TemporaryFolder captured("blip3u-cli-captured");
  const std::filesystem::path out = output.empty() ? captured.path() / "out" : output, err = captured.path() / "err";
  const int code = exit_code(start(arguments, folder, environment, out, err));
  const auto read = [](const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return std::string{std::istreambuf_iterator<char>(stream), {}};
  };
  return {code, output.empty() ? read(out) : std::string(), read(err)};
}

}  // namespace blip3u::testing
