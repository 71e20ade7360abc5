#include "io/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "blip3u/utf8.h"
#include "io/say.h"

namespace blip3u {

namespace {

constexpr std::int64_t bar_cells = 24;

std::size_t terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

/// Cuts UTF-8 text to a number of characters, counting the bytes that begin one.
std::string clipped(const std::string& text, std::size_t width) {
  std::size_t characters = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (begins_character(text[i]) && characters++ == width) return text.substr(0, i);
  }
  return text;
}

std::string bar(std::int64_t done, std::int64_t total) {
  const std::int64_t filled = std::clamp<std::int64_t>(total > 0 ? done * bar_cells / total : 0, 0, bar_cells);
  std::string result;
  for (std::int64_t i = 0; i < bar_cells; ++i) result += i < filled ? "█" : "░";
  return result;
}

}  // namespace

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(std::max(0.0, seconds)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

ProgressBar::ProgressBar(std::string title, std::int64_t total, std::int64_t start)
    : title_(std::move(title)),
      total_(total),
      start_(start),
      terminal_(isatty(STDERR_FILENO) == 1),
      begun_(Clock::now()),
      shown_(begun_) {}

ProgressBar::~ProgressBar() {
  if (open_line_) std::fputc('\n', stderr);  // what is printed next must not run into the bar
}

double ProgressBar::seconds() const { return std::chrono::duration<double>(Clock::now() - begun_).count(); }

std::string ProgressBar::describe(std::int64_t done, const std::string& detail) const {
  const double elapsed = seconds();
  const double rate = elapsed > 0 ? static_cast<double>(done - start_) / elapsed : 0;
  std::string result = fmt::format("{}/{}", done, total_);
  if (rate > 0) {
    result += rate >= 1 ? fmt::format("  {:.1f}/s", rate) : fmt::format("  {:.1f} s each", 1 / rate);
    result += fmt::format("  {} left", duration_text(static_cast<double>(total_ - done) / rate));
  }
  return detail.empty() ? result : result + "  " + detail;
}

void ProgressBar::update(std::int64_t done, const std::string& detail) {
  const Clock::time_point now = Clock::now();
  if (now - shown_ < (terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(10'000))) return;
  shown_ = now;
  if (terminal_) {
    const std::string line = fmt::format("{} {} {}", title_, bar(done, total_), describe(done, detail));
    std::fputs(fmt::format("\r{}\x1b[K", clipped(line, terminal_width() - 1)).c_str(), stderr);
    open_line_ = true;
  } else {
    say(fmt::format("{} {}", title_, describe(done, detail)));
  }
}

void ProgressBar::clear() {
  if (open_line_) std::fputs("\r\x1b[K", stderr);
  open_line_ = false;
}

void ProgressBar::finish(const std::string& summary) {
  clear();
  say(fmt::format("{} done in {}{}{}", title_, duration_text(seconds()), summary.empty() ? "" : "  ", summary));
}

}  // namespace blip3u
