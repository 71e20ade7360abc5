#include "io/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace blip3u {
namespace {

std::atomic<bool> flag{false};
static_assert(std::atomic<bool>::is_always_lock_free, "only lock-free atomics may be used in a signal handler");

extern "C" void on_interrupt(int) {
  if (flag.exchange(true)) _exit(interrupted_exit_code);
}

}  // namespace

void install_interrupt_handler() {
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;  // file reads and writes go on; the work stops where it chooses to
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() noexcept { return flag.load(std::memory_order_relaxed); }

Interrupted::~Interrupted() = default;

void stop_if_interrupted() {
  if (interrupted()) throw Interrupted("interrupted; the same command goes on from what is saved");
}

}  // namespace blip3u
