#include "lines.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "io/interrupt.h"

namespace blip3u {

namespace {

constexpr std::size_t longest_line = std::size_t{1} << 20;

}  // namespace

std::optional<std::string> Lines::next() {
  std::size_t looked_at = 0;
  while (true) {
    if (const std::size_t end = read_.find('\n', looked_at); end != std::string::npos) {
      std::string line = read_.substr(0, end);
      read_.erase(0, end + 1);
      return line;
    }
    if (ended_) return read_.empty() ? std::nullopt : std::optional(std::exchange(read_, {}));
    looked_at = read_.size();
    if (looked_at > longest_line) {
      throw Error(Fault::usage, fmt::format("standard input: a line of more than {} bytes; shorten it", longest_line));
    }
    if (!wait_for_input(STDIN_FILENO)) return std::nullopt;
    std::array<char, 4096> piece;
    const ssize_t count = read(STDIN_FILENO, piece.data(), piece.size());
    if (count < 0 && errno != EINTR) {
      throw Error(fmt::format("standard input: cannot be read: {}", std::strerror(errno)));
    }
    if (count == 0) ended_ = true;
    if (count > 0) read_.append(piece.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace blip3u
