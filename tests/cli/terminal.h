// Runs the real program on a terminal.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include "cli/support.h"

namespace blip3u::testing {

/// The program in a folder, with a terminal as its standard input, output and error.
class Terminal {
 public:
  Terminal(const std::vector<std::string>& arguments, const std::filesystem::path& folder,
           const std::vector<std::string>& environment = {}) {
    child_ = forkpty(&terminal_, nullptr, nullptr, nullptr);
    if (child_ != 0) return;
    std::vector<char*> argv{const_cast<char*>(BLIP3U_PROGRAM)};
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    for (const char* name : {"TERM", "TERM_PROGRAM", "KITTY_WINDOW_ID", "TMUX"}) unsetenv(name);  // of this test's own
    for (const std::string& variable : environment) putenv(const_cast<char*>(variable.c_str()));
    if (chdir(folder.c_str()) == 0) execv(BLIP3U_PROGRAM, argv.data());
    _exit(127);
  }
  ~Terminal() {
    if (child_ > 0) kill(child_, SIGKILL), exit_code(child_);
    close(terminal_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void type(const std::string& keys) const {
    EXPECT_EQ(write(terminal_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }

  /// What has come, until a text is there or a minute is over, and takes it. Typed keys come back too.
  std::string until(const std::string& text) {
    for (std::size_t end; (end = shown_.find(text)) == std::string::npos;) {
      if (!read_more()) {
        ADD_FAILURE() << "never shown: " << text << "\nbut: " << shown_;
        return {};
      }
    }
    const std::size_t end = shown_.find(text) + text.size();
    const std::string result = shown_.substr(0, end);
    shown_.erase(0, end);
    return result;
  }

  /// What comes until the end of the program, and its exit code.
  const std::string& rest() {
    while (read_more()) {
    }
    return shown_;
  }
  int code() {
    rest();
    if (!eventually([&] { return has_ended(child_); })) {
      ADD_FAILURE() << "still runs: " << shown_;
      kill(child_, SIGKILL);
    }
    const int result = exit_code(child_);
    child_ = -1;
    return result;
  }

 private:
  bool read_more() {
    pollfd input{.fd = terminal_, .events = POLLIN, .revents = 0};
    std::array<char, 4096> piece;
    if (poll(&input, 1, 60'000) != 1) return false;
    const ssize_t count = read(terminal_, piece.data(), piece.size());
    if (count > 0) shown_.append(piece.data(), static_cast<std::size_t>(count));
    return count > 0;
  }

  pid_t child_ = -1;
  int terminal_ = -1;
  std::string shown_;
};

}  // namespace blip3u::testing
