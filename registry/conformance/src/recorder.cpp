#include "recorder.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>
#include <new>

#include <c10/util/Exception.h>

#include "blip3u/error.h"
#include "io/interrupt.h"

namespace blip3u::conformance {

namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

/// LibTorch's warnings are not the component's.
class Silent : public c10::WarningHandler {
  void process(const c10::Warning&) override {}
};

/// What a crash leaves behind, prepared before it: after it only the simplest calls are allowed.
struct CrashNote {
  char text[256];
  std::size_t length;
  int kept, standard_error;
  long taken;
} crash_note;

extern "C" void on_crash(int) {
  char buffer[512];
  const auto show = [](const char* bytes, std::size_t count) {
    return write(crash_note.standard_error, bytes, count) == static_cast<ssize_t>(count);
  };
  for (ssize_t count; (count = pread(crash_note.kept, buffer, sizeof buffer, crash_note.taken)) > 0;) {
    crash_note.taken += count;
    if (!show(buffer, static_cast<std::size_t>(count))) break;
  }
  show(crash_note.text, crash_note.length);
  _exit(static_cast<int>(Fault::plugin));
}

bool checking = false;

/// For a component that ends the process by std::exit.
void on_exit() {
  if (checking) on_crash(0);
}

/// While it lives, a crash ends the process with a message that names the check. A handler that is there already, such
/// as a sanitizer's, is left alone.
class CrashReport {
 public:
  CrashReport(const std::string& component, const char* check, const OutputCapture& output) {
    const auto end =
        fmt::format_to_n(crash_note.text, sizeof crash_note.text,
                         "blip3u: {} crashed in the check `{}`, or ended the program; run the same command in a "
                         "debugger\n",
                         component, check);
    crash_note.length = std::min(end.size, sizeof crash_note.text);
    crash_note.kept = output.kept();
    crash_note.standard_error = output.standard_error();
    crash_note.taken = output.taken();
    struct sigaction action = {};
    action.sa_handler = on_crash;
    action.sa_flags = SA_ONSTACK;  // a recursion without end leaves no other
    static std::array<char, 64 * 1024> stack;
    const stack_t alternative = {.ss_sp = stack.data(), .ss_flags = 0, .ss_size = stack.size()};
    sigaltstack(nullptr, &stack_before_);
    if ((stack_before_.ss_flags & SS_DISABLE) != 0) sigaltstack(&alternative, nullptr);
    [[maybe_unused]] static const int registered = std::atexit(on_exit);
    checking = true;
    sigemptyset(&action.sa_mask);
    for (std::size_t i = 0; i < signals.size(); ++i) {
      sigaction(signals[i], nullptr, &before_[i]);
      if (before_[i].sa_handler == SIG_DFL) sigaction(signals[i], &action, nullptr);
    }
  }
  ~CrashReport() {
    checking = false;
    sigaltstack(&stack_before_, nullptr);
    for (std::size_t i = 0; i < signals.size(); ++i) sigaction(signals[i], &before_[i], nullptr);
  }
  CrashReport(const CrashReport&) = delete;
  CrashReport& operator=(const CrashReport&) = delete;

 private:
  static constexpr std::array<int, 5> signals = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
  std::array<struct sigaction, signals.size()> before_ = {};
  stack_t stack_before_ = {};
};

void flush_all() {
  std::cout.flush();
  std::clog.flush();
  std::fflush(nullptr);
}

}  // namespace

OutputCapture::OutputCapture() : file_(std::tmpfile()) {
  if (!file_) {
    throw Error(fmt::format("cannot make a temporary file ({}); free space in the folder for temporary files",
                            std::strerror(errno)));
  }
  flush_all();
  output_ = dup(STDOUT_FILENO);
  error_ = dup(STDERR_FILENO);
  dup2(fileno(file_), STDOUT_FILENO);
  dup2(fileno(file_), STDERR_FILENO);
}

OutputCapture::~OutputCapture() {
  flush_all();
  // A descriptor that was closed before stays closed.
  const auto restore = [](int saved, int to) {
    if (saved < 0) {
      close(to);
      return;
    }
    dup2(saved, to);
    close(saved);
  };
  restore(output_, STDOUT_FILENO);
  restore(error_, STDERR_FILENO);
  std::fclose(file_);
}

int OutputCapture::kept() const { return fileno(file_); }

std::string OutputCapture::take() {
  flush_all();
  std::string text;
  char buffer[512];
  // pread leaves the offset alone, which the two standard streams share with this file.
  for (ssize_t count; (count = pread(fileno(file_), buffer, sizeof buffer, taken_)) > 0; taken_ += count) {
    text.append(buffer, static_cast<std::size_t>(count));
  }
  return text;
}

Raised raised_by(const std::function<void()>& work) {
  try {
    work();
    return {};
  } catch (const Failure&) {
    throw;
  } catch (const Skipped&) {
    throw;
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const c10::Error& error) {
    return {.torch = first_line(error.what_without_backtrace()), .foreign = {}};
  } catch (const std::exception& error) {
    return {.torch = {},
            .foreign = fmt::format("an exception that is no blip3u::Error ({})", first_line(error.what()))};
  } catch (...) {
    return {.torch = {}, .foreign = "an object that is no std::exception"};
  }
}

Raised raised_by_bad_input(const std::function<void()>& work) {
  try {
    return raised_by(work);
  } catch (const Error&) {
    return {};
  }
}

bool refused(const std::function<void()>& work) {
  try {
    work();
    return false;
  } catch (const Error&) {
    return true;
  } catch (const c10::Error&) {
    return true;
  }
}

void Recorder::record(const char* name, const std::function<std::string()>& work) {
  Check check{.component = component_, .name = name};
  if (interrupted()) throw Interrupted("interrupted before all checks were done; verify again");
  const CrashReport crash_report(component_, name, output_);
  Silent silent;
  const c10::WarningUtils::WarningHandlerGuard guard(&silent);
  const auto start = std::chrono::steady_clock::now();
  const auto failed = [&](std::string detail) {
    check.outcome = Outcome::failed;
    check.detail = std::move(detail);
  };
  try {
    const Raised raised = raised_by([&] { check.detail = work(); });
    if (!raised.torch.empty()) {
      failed(fmt::format("LibTorch refuses what the component does with good input: {}", raised.torch));
    }
    if (!raised.foreign.empty()) {
      failed(fmt::format("the component threw {}; throw blip3u::Error instead", raised.foreign));
      if (foreign_.empty()) foreign_ = fmt::format("in `{}` it threw {}", name, raised.foreign);
    }
  } catch (const Failure& failure) {
    failed(failure.detail);
  } catch (const Skipped& skipped) {
    check.outcome = Outcome::skipped;
    check.detail = skipped.reason;
  } catch (const Error& error) {
    failed(fmt::format("the component refuses good input: {}", error.what()));
  } catch (const std::bad_alloc&) {
    failed("it ran out of memory; give it smaller parameters with --set");
  }
  check.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  checks_.push_back(std::move(check));
  const std::string text = output_.take();
  if (printed_.empty() && !text.empty()) printed_ = fmt::format("in `{}` it printed \"{}\"", name, first_line(text));
}

}  // namespace blip3u::conformance
