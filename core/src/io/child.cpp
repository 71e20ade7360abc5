#include "io/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "io/files.h"

namespace blip3u {

namespace {

std::vector<char*> words_of(const std::vector<std::string>& texts) {
  std::vector<char*> words;
  words.reserve(texts.size() + 1);
  for (const std::string& text : texts) words.push_back(const_cast<char*>(text.c_str()));
  words.push_back(nullptr);
  return words;
}

/// This process's environment with some variables changed.
std::vector<std::string> environment_with(const std::vector<std::string>& changes) {
  std::vector<std::string> result = changes;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string text = *variable;
    const std::string name = text.substr(0, text.find('=') + 1);
    bool changed = false;
    for (const std::string& change : changes) changed = changed || change.starts_with(name);
    if (!changed) result.push_back(text);
  }
  return result;
}

}  // namespace

Child::Child(const std::vector<std::string>& arguments, const std::filesystem::path& log,
             const std::vector<std::string>& environment) {
  const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (output < 0) throw_write_error(log, errno);
  const std::vector<std::string> variables = environment_with(environment);
  const std::vector<char*> words = words_of(arguments), values = words_of(variables);
  const pid_t parent = getpid();
  process_ = fork();
  if (process_ == 0) {  // only what is safe after a fork of several threads
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(128 + SIGTERM);
    const int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    execve(words[0], words.data(), values.data());
    _exit(127);
  }
  const int reason = errno;
  close(output);
  if (process_ < 0) throw Error(fmt::format("{}: cannot be started: {}", arguments[0], std::strerror(reason)));
}

Child::~Child() {
  end();
  while (!code()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

void Child::end() {
  if (!asked_ && !code_) kill(process_, SIGTERM);
  asked_ = true;
}

std::optional<int> Child::code() {
  if (code_) return code_;
  int status = 0;
  const pid_t ended = waitpid(process_, &status, WNOHANG);
  if (ended == process_) code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (ended < 0 && errno == ECHILD) code_ = 127;
  return code_;
}

}  // namespace blip3u
