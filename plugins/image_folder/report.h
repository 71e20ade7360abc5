// What a folder was found to hold, and what is wrong with it.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "io/say.h"

namespace blip3u::image_folder {

/// Without characters that would take hold of a terminal.
inline std::string printable(std::string text) {
  for (char& character : text) {
    if (static_cast<unsigned char>(character) < 0x20 || character == 0x7F) character = '?';
  }
  return text;
}

/// Things by their kind: how many there are, and the first names.
class Tally {
 public:
  void add(const std::string& kind, const std::string& name) {
    auto& [count, names] = kinds_[kind];
    if (++count <= shown) names.push_back(printable(name));
  }

  /// One line for each kind.
  void tell(const std::function<void(const std::string&)>& note) const {
    for (const auto& [kind, entry] : kinds_) {
      std::string names;
      for (const std::string& name : entry.second) names += (names.empty() ? "" : ", ") + name;
      note(fmt::format("{}: {} ({}{})", kind, entry.first, names, entry.first > shown ? ", ..." : ""));
    }
  }

 private:
  static constexpr std::size_t shown = 3;
  std::map<std::string, std::pair<std::size_t, std::vector<std::string>>> kinds_;
};

/// All that must be mended before the folder can be used, so that it is said at once.
class Problems {
 public:
  void add(std::string problem) { problems_.push_back(printable(std::move(problem))); }

  /// Throws Error if there are any.
  void raise() const {
    if (problems_.empty()) return;
    if (problems_.size() == 1) throw Error("dataset image_folder: " + problems_.front());
    throw Error(fmt::format("dataset image_folder: {} problems:{}", problems_.size(), line_by_line(problems_)));
  }

 private:
  std::vector<std::string> problems_;
};

}  // namespace blip3u::image_folder
