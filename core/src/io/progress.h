// What a person who waits wants to see.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "blip3u/export.h"

namespace blip3u {

/// Progress on standard error: a bar that is drawn over itself on a terminal, else a line every ten seconds.
class BLIP3U_API ProgressBar {
 public:
  /// `start` counts what an earlier run has done already.
  ProgressBar(std::string title, std::int64_t total, std::int64_t start = 0);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void update(std::int64_t done, const std::string& detail = {});  ///< cheap; detail is e.g. the loss
  void clear();                                                    ///< makes room for other lines until the next update
  void finish(const std::string& summary = {});                    ///< leaves one line behind

 private:
  using Clock = std::chrono::steady_clock;
  double seconds() const;
  std::string describe(std::int64_t done, const std::string& detail) const;

  std::string title_;
  std::int64_t total_, start_;
  bool terminal_;
  bool open_line_ = false;  ///< a bar is on the terminal's current line
  Clock::time_point begun_, shown_;
};

/// "8 s", "3 min 20 s", "2 h 5 min"
BLIP3U_API std::string duration_text(double seconds);

}  // namespace blip3u
