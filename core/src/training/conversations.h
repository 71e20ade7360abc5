// The training set as conversations.
#pragma once

#include <cstdint>
#include <vector>

#include "blip3u/dataset.h"

namespace blip3u {

/// One conversation about one picture of the data set: a question with its answer, or a caption with the picture made.
struct Dialogue {
  std::int64_t image = 0;      ///< its index in the training split; image 0 of the messages
  std::int64_t question = -1;  ///< its index among the picture's questions; -1: the caption
};

/// All questions of the training split.
std::vector<Dialogue> question_dialogues(const Dataset& dataset);

/// All pictures of the training split that may be made: a held-out caption is never learned.
std::vector<Dialogue> picture_dialogues(const Dataset& dataset);

}  // namespace blip3u
