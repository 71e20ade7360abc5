#include "io/picture_warnings.h"

#include <fmt/format.h>

#include <mutex>
#include <set>

namespace blip3u {

namespace {

/// Of this process; pictures are read by many threads.
struct Warnings {
  std::mutex mutex;
  std::set<std::string> known;  // all that ever came, so that a picture that is read again is not told again
  std::vector<std::string> untold;
};

Warnings& warnings() {
  static Warnings all;
  return all;
}

}  // namespace

void note_picture_warning(const std::string& name, const std::string& warning) {
  const std::string text = fmt::format("{}: {}", name, warning);
  const std::lock_guard lock(warnings().mutex);
  if (warnings().known.insert(text).second) warnings().untold.push_back(text);
}

std::vector<std::string> take_picture_warnings() {
  const std::lock_guard lock(warnings().mutex);
  std::vector<std::string> result = std::move(warnings().untold);
  warnings().untold.clear();
  std::ranges::sort(result);
  return result;
}

}  // namespace blip3u
