#include "io/interrupt.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace blip3u {
namespace {

enum class Cancel { off, possible, asked };

std::atomic<bool> flag{false};
std::atomic<Cancel> cancel{Cancel::off};
static_assert(std::atomic<Cancel>::is_always_lock_free);
static_assert(std::atomic<bool>::is_always_lock_free, "only lock-free atomics may be used in a signal handler");

extern "C" void on_interrupt(int number) {
  Cancel possible = Cancel::possible;
  if (number == SIGINT && cancel.compare_exchange_strong(possible, Cancel::asked)) return;
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

Cancellation::Cancellation() { cancel.store(Cancel::possible); }
Cancellation::~Cancellation() { cancel.store(Cancel::off); }
bool Cancellation::asked() const noexcept { return cancel.load(std::memory_order_relaxed) == Cancel::asked; }

bool wait_for_input(int descriptor) {
  // The signals are let through by ppoll alone, so that none comes between the look at the flag and the wait.
  sigset_t both, before;
  sigemptyset(&both);
  sigaddset(&both, SIGINT);
  sigaddset(&both, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &both, &before);
  pollfd input{.fd = descriptor, .events = POLLIN, .revents = 0};
  while (!interrupted() && ppoll(&input, 1, nullptr, &before) < 0 && errno == EINTR) {
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return !interrupted();
}

Interrupted::~Interrupted() = default;

void stop_if_interrupted() {
  if (interrupted()) throw Interrupted("interrupted; the same command goes on from what is saved");
}

}  // namespace blip3u
