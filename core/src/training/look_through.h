// All samples are looked at before the first step: what is bad is then named at once, and not one by one in the course
// of hours.
#pragma once

#include <string>
#include <vector>

#include "blip3u/dataset.h"
#include "blip3u/export.h"
#include "training/training_data.h"

namespace blip3u {

/// What was found in the samples of a split.
struct LookedAt {
  std::vector<std::string> problems;  ///< each once
  std::int64_t bad = 0;               ///< samples that cannot be read, or are not as content.h says
};

/// Reads all samples, under a progress bar where they are counted. Hears Ctrl-C. `take` gets the sound ones.
BLIP3U_API LookedAt look_through(const TrainingData& data, Split split, const std::string& title,
                                 const std::function<void(const Sample&)>& take);

/// The texts of the training split, captions and what is said, as often as they occur, from which a tokenizer learns.
/// Says on standard error which samples are passed over.
BLIP3U_API std::vector<std::string> look_at_training_samples(const TrainingData& data);

/// Throws Error that names the test samples that are bad: tasks ask about all of them.
BLIP3U_API void look_at_test_samples(const TrainingData& data);

/// Says on standard error which pictures were read although a library warned of them.
BLIP3U_API void say_picture_warnings();

}  // namespace blip3u
