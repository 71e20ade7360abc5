// Conversations on disk: JSON lines in the form that chat models are trained on,
//
//   {"id": "7", "messages": [{"role": "user", "content": [{"type": "image", "image": "a.png"},
//                                                         {"type": "text", "text": "what is it?"}]},
//                            {"role": "assistant", "content": "a red triangle"}]}
//
// Roles are system, user and assistant. "content" is a text or a list of parts. A part has its "weight" (of its loss);
// without one it has 1 if it is the assistant's, else 0. An image is named by its file relative to the folder, or, with
// a list "images" of files, by an index into that list or, if it names none, by being the next of it. "captions" (a
// list of texts, of the images) and "labels" (an object of texts) may be there; other keys are left alone.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "blip3u/dataset.h"
#include "blip3u/export.h"

namespace blip3u {

/// The conversation in one line. `where` is what errors and, lacking an "id", the sample call it ("file:line"). Reads
/// the pictures from `folder`, below which they must lie. Throws Error with line and column.
BLIP3U_API Sample parse_chat(const std::string& line, const std::filesystem::path& folder, const std::string& where);

/// Reads a file of such lines from its front, each picture when its line is read. Blank lines are passed over, as are
/// a byte order mark and carriage returns.
class BLIP3U_API ChatReader final : public Reader {
 public:
  /// Throws Error if the file cannot be opened. Pictures lie relative to the file's folder.
  explicit ChatReader(std::filesystem::path file);
  ~ChatReader() override;

  std::optional<Sample> next() override;
  void skip(std::int64_t count) override;

 private:
  bool read_line();

  std::filesystem::path file_;
  std::ifstream stream_;
  std::string line_;
  std::int64_t number_ = 0;  // of the line, from 1 on
};

}  // namespace blip3u
