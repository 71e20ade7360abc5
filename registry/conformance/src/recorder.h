// Runs checks one by one and writes down what becomes of each.
#pragma once

#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "blip3u/conformance.h"

namespace blip3u::conformance {

/// What a check throws. Not of the standard library's family, so that nothing of a plugin is taken for it.
struct Failure {
  std::string detail;
};
struct Skipped {
  std::string reason;
};

template <class... Arguments>
[[noreturn]] void fail(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  throw Failure{fmt::format(format, std::forward<Arguments>(arguments)...)};
}
template <class... Arguments>
[[noreturn]] void skip(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  throw Skipped{fmt::format(format, std::forward<Arguments>(arguments)...)};
}

/// Catches what is written to standard output and standard error while it lives.
class OutputCapture {
 public:
  OutputCapture();
  ~OutputCapture();
  OutputCapture(const OutputCapture&) = delete;
  OutputCapture& operator=(const OutputCapture&) = delete;

  /// What was written since the last call.
  std::string take();

  /// Where it is kept, from which place on, and the standard error that it is kept from.
  int kept() const;
  long taken() const { return taken_; }
  int standard_error() const { return error_; }

 private:
  std::FILE* file_;
  int output_, error_;
  long taken_ = 0;
};

/// What LibTorch's errors and foreign exceptions say; both empty: there were none.
struct Raised {
  std::string torch, foreign;

  /// Either of them.
  const std::string& any() const { return foreign.empty() ? torch : foreign; }
};

/// Runs `work`. Lets Failure, Skipped, blip3u::Error and lack of memory pass.
Raised raised_by(const std::function<void()>& work);

/// The same where bad input is to be refused: blip3u::Error is as good as success.
Raised raised_by_bad_input(const std::function<void()>& work);

/// Whether `work` is refused, by blip3u::Error or by LibTorch, which is as good.
bool refused(const std::function<void()>& work);

class Recorder {
 public:
  explicit Recorder(std::string component) : component_(std::move(component)) {}

  /// `work` throws Failure or Skipped, or returns; a text that it returns is what it found.
  template <class Work>
  void run(const char* name, Work work) {
    record(name, [&]() -> std::string {
      if constexpr (std::is_void_v<std::invoke_result_t<Work>>) {
        work();
        return {};
      } else {
        return work();
      }
    });
  }

  /// The first foreign exception that escaped from the component in a check, and where; or nothing.
  const std::string& foreign() const { return foreign_; }

  /// What was printed first, and in which check; or nothing.
  const std::string& printed() const { return printed_; }

  std::vector<Check> take() { return std::move(checks_); }

 private:
  void record(const char* name, const std::function<std::string()>& work);

  std::string component_, foreign_, printed_;
  std::vector<Check> checks_;
  OutputCapture output_;
};

}  // namespace blip3u::conformance
