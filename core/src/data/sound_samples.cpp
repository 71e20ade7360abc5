#include "data/sound_samples.h"

#include "blip3u/error.h"
#include "io/interrupt.h"

namespace blip3u {

namespace {

/// The next sample that can be read.
std::optional<Sample> next_readable(Reader& reader) {
  for (;;) {
    stop_if_interrupted();
    try {
      return reader.next();
    } catch (const Error& error) {
      if (error.fault() != Fault::runtime) throw;
    }
  }
}

}  // namespace

void for_each_sound_sample(const Dataset& dataset, Split split, const std::function<void(const Sample&)>& take) {
  const auto chapters = static_cast<std::int64_t>(dataset.chapters(split).size());
  for (std::int64_t chapter = 0; chapter < chapters; ++chapter) {
    const auto reader = dataset.open(split, chapter);
    while (const auto sample = next_readable(*reader)) {
      if (problem_of(*sample).empty()) take(*sample);
    }
  }
}

}  // namespace blip3u
