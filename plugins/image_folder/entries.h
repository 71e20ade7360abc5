// Pictures with all that is known of them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "image_folder/report.h"
#include "layers/conversations.h"

namespace blip3u::image_folder {

enum class Share { unknown, train, validation, test };

/// A picture. Its id is the file's name within the folder.
struct Entry {
  layers::Described described;
  std::string label;  ///< its class; empty if unknown
  Share share = Share::unknown;
  bool listed = false;  ///< a line or a text file says something of it
};

/// What the recipe adds to what lies in the folder.
struct Wishes {
  std::vector<std::string> classes;  ///< all there are; empty: those that are found
  std::string caption;               ///< of a picture that has none and a class, "{class}" in it
  std::string question;              ///< whose answer is the class; empty: none
  std::string describe;              ///< the question whose answer is the caption; empty: none
};

struct Contents {
  std::vector<Entry> entries;
  std::vector<std::string> classes;  ///< their names
  std::set<std::string> sources;     ///< what described the pictures: names of lists, "text files", "names of folders"
};

/// Reads all that describes the pictures below a folder. The keys of a record are
///   file (file_name, filename, image, path)    the picture
///   caption, captions (text, blip_caption)     a text, or a list of them
///   class (label, category)                    a text, or the number of one of the wished classes
///   questions                                  [{"question": "...", "answer": "..."}]; or question and answer
///   split                                      train, validation (val, valid, dev) or test
/// Lines about one picture add up. Throws Error with all that is wrong.
Contents read_contents(const std::filesystem::path& folder, const Wishes& wishes, Tally& aside);

/// The wished caption of a class.
std::string caption_of(const Wishes& wishes, const std::string& label);

}  // namespace blip3u::image_folder
