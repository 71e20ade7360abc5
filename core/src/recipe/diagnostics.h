// Everything that is wrong with a recipe, collected so that one pass reports it all.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "blip3u/error.h"
#include "recipe/node.h"
#include "recipe/suggest.h"

namespace blip3u {

class Diagnostics {
 public:
  struct Problem {
    Position position;
    std::string message;
    Fault fault;
  };

  void add(const Position& position, std::string message, Fault fault = Fault::usage);
  bool empty() const { return problems_.empty(); }
  const std::vector<Problem>& problems() const { return problems_; }

  /// Throws one Error with all problems, in the order of the files: `file:line:column: message`, then the source line
  /// and a caret. Its fault is `plugin` if any problem's is.
  [[noreturn]] void raise() const;

 private:
  std::vector<Problem> problems_;
};

/// The text in backticks, shortened if long, control characters made harmless.
std::string in_ticks(std::string_view text);

}  // namespace blip3u
