// Running another program.
#pragma once

#include <string>
#include <vector>

#include "blip3u/export.h"

namespace blip3u {

struct CommandResult {
  bool started = false;  ///< false: there is no such program
  int status = 0;        ///< exit status, or 128 plus the signal that ended it
  std::string output;    ///< standard output and standard error together
};

/// Runs a program found in PATH, without a shell, and waits for it. Its standard input is empty.
BLIP3U_API CommandResult run_command(const std::vector<std::string>& arguments);

}  // namespace blip3u
