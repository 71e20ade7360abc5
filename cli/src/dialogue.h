// A dialogue with a model: what was said, and what of it can be taken back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "blip3u/request.h"
#include "origin.h"
#include "running/open_run.h"

namespace blip3u {

class Dialogue {
 public:
  /// Throws Error(Fault::usage) if the run can neither write nor draw. `origin` is that of all pictures of the run.
  Dialogue(const OpenedRun& run, Origin origin);

  /// Reads a picture that goes with the next message.
  void add_picture(const std::filesystem::path& file);

  /// How the user has the reply.
  enum class As { free, text, image };

  /// Says something, with the pictures that wait, and hears the reply; the dialogue goes on from there unless the reply
  /// was cancelled. `line` is what the user typed. Throws Error if the message cannot be sent, and then as if it had
  /// never been said.
  Reply say(const std::string& text, As as, const std::string& line, const Events& events);

  /// Takes back a picture that waits, or else the last message and its reply. False if there is nothing.
  bool undo();

  std::uint64_t seed = 0;  ///< of the next picture; goes up by one with each

  struct Made {
    Tensor image;
    Origin origin;
  };
  const std::vector<Made>& made() const { return made_; }  ///< the pictures of the replies

 private:
  Want want(As as) const;
  void check(const std::string& text, As as) const;

  const OpenedRun& run_;
  Origin origin_;                   // of the next picture
  std::string no_text_, no_image_;  // why not; empty: it can
  Request said_;
  std::vector<Made> made_;
  std::vector<std::pair<std::string, Tensor>> waiting_;
  struct Mark {
    std::size_t messages, images, made, lines;
  };
  std::vector<Mark> marks_;  // where each message begins
};

}  // namespace blip3u
