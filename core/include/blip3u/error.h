// The one exception type of the toolkit. A message says where, what, and how to mend it, in that order.
#pragma once

#include <stdexcept>
#include <string>

#include "blip3u/export.h"

namespace blip3u {

/// The values are the exit codes of the `blip3u` program.
enum class Fault {
  runtime = 1,  ///< data, checkpoint, disk, device: the request was fine, the world was not
  usage = 2,    ///< a wrong recipe or command line
  plugin = 3,   ///< a plugin library that cannot be loaded, or that broke its contract
};

class BLIP3U_API Error : public std::runtime_error {
 public:
  Error(Fault fault, const std::string& message) : std::runtime_error(message), fault_(fault) {}
  explicit Error(const std::string& message) : Error(Fault::runtime, message) {}
  ~Error() override;  // out of line, so that one type information serves all libraries

  Fault fault() const noexcept { return fault_; }
  int exit_code() const noexcept { return static_cast<int>(fault_); }

 private:
  Fault fault_;
};

/// Thrown by a sampler or decoder whose Watch said to stop. What it had made is lost; every object stays usable.
class BLIP3U_API Cancelled : public Error {
 public:
  Cancelled() : Error("cancelled") {}
  ~Cancelled() override;
};

}  // namespace blip3u
