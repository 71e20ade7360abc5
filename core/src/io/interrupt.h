// Ctrl-C: asks for an orderly end. Long work looks at interrupted() between steps, saves and returns or throws.
#pragma once

#include "blip3u/error.h"
#include "blip3u/export.h"

namespace blip3u {

/// The exit code of a program that ended because it was interrupted (128 + SIGINT).
inline constexpr int interrupted_exit_code = 130;

/// From now on the first SIGINT or SIGTERM sets the flag; a second one ends the process at once.
BLIP3U_API void install_interrupt_handler();

BLIP3U_API bool interrupted() noexcept;

/// Ends the work after an interrupt; what was done is saved.
class BLIP3U_API Interrupted : public Error {
 public:
  using Error::Error;
  ~Interrupted() override;
};

/// While it lives, the first SIGINT asks that one piece of work be given up, without an end to the others; SIGTERM and
/// a second SIGINT ask for the end as ever. One at a time.
class BLIP3U_API Cancellation {
 public:
  Cancellation();
  ~Cancellation();
  Cancellation(const Cancellation&) = delete;
  Cancellation& operator=(const Cancellation&) = delete;

  bool asked() const noexcept;
};

/// Waits until there is something to read, or its end. False after an interrupt, also one that came before.
BLIP3U_API bool wait_for_input(int descriptor);

/// Throws Interrupted if interrupted.
BLIP3U_API void stop_if_interrupted();

}  // namespace blip3u
