// Lines that a person types, or a script holds.
#pragma once

#include <optional>
#include <string>

namespace blip3u {

/// Standard input, line by line.
class Lines {
 public:
  /// The next line without its end; nothing at the end of input and after an interrupt. Throws Error(Fault::usage) for
  /// a line that is too long to be meant.
  std::optional<std::string> next();

 private:
  std::string read_;  // and not yet given
  bool ended_ = false;
};

}  // namespace blip3u
