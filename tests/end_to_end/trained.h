// A run to ask.
#pragma once

#include "end_to_end/support.h"

namespace blip3u::testing {

class Trained : public EndToEnd {
 protected:
  Trained() {
    const Outcome trained = blip3u({"run", "tiny.yaml"});
    EXPECT_EQ(trained.code, 0) << trained.err;
  }

  /// A line of bash, in which `blip3u` is the program.
  Outcome bash(const std::string& line) const {
    std::filesystem::create_directory(file("bin"));
    if (!std::filesystem::exists(file("bin/blip3u"))) {
      std::filesystem::create_symlink(BLIP3U_PROGRAM, file("bin/blip3u"));
    }
    return call({"-c", "PATH=$PWD/bin:$PATH; " + line}, folder_.path(), {}, {}, "/bin/bash");
  }

  /// Expects that the command that inspect prints of a picture makes the same bytes again.
  void expect_made_again(const std::string& picture) const {
    const Outcome inspected = blip3u({"inspect", picture});
    ASSERT_EQ(inspected.code, 0) << inspected.err;
    const std::string command = inspected.out.substr(inspected.out.find("\n\n") + 2);
    const Outcome again = bash(command);
    ASSERT_EQ(again.code, 0) << command << again.err;
    EXPECT_EQ(read_text(file("again.png")), read_text(file(picture))) << command;
    std::filesystem::remove(file("again.png"));
  }
};

}  // namespace blip3u::testing
