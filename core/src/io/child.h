// A program that runs beside this one.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "blip3u/export.h"

namespace blip3u {

/// A child process in a process group of its own, so that Ctrl-C reaches only its parent, which decides. Should the
/// parent die, the child is asked to end (SIGTERM).
class BLIP3U_API Child {
 public:
  /// Starts arguments[0], a path. All that it prints goes to the end of the file `log`. `environment` are NAME=VALUE
  /// beside this process's own. Throws Error if it cannot be started.
  Child(const std::vector<std::string>& arguments, const std::filesystem::path& log,
        const std::vector<std::string>& environment = {});
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();  ///< asks it to end and waits for that

  void end();                 ///< asks for an orderly end, once
  std::optional<int> code();  ///< the exit code, or 128 plus the signal that ended it, once it has ended

 private:
  pid_t process_ = 0;
  bool asked_ = false;
  std::optional<int> code_;
};

}  // namespace blip3u
