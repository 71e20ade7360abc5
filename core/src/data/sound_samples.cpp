#include "data/sound_samples.h"

#include <optional>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "io/interrupt.h"

namespace blip3u {

namespace {

/// Reads the next sample, into one of the two. False at the end.
bool read_next(Reader& reader, const std::function<void(const Sample&)>& take,
               const std::function<void(const std::string& problem)>& refuse) {
  std::optional<Sample> sample;
  try {
    sample = reader.next();
  } catch (const Error& error) {
    if (error.fault() != Fault::runtime || interrupted()) throw;
    refuse(error.what());
    return true;
  }
  if (!sample) return false;
  if (const std::string problem = problem_of(*sample); !problem.empty()) {
    refuse(fmt::format("sample '{}': {}; mend it or take it out", sample->id, problem));
  } else {
    take(*sample);
  }
  return true;
}

}  // namespace

void for_each_sound_sample(const Dataset& dataset, Split split, const std::function<void(const Sample&)>& take,
                           const std::function<void(const std::string& problem)>& refuse) {
  const auto chapters = static_cast<std::int64_t>(dataset.chapters(split).size());
  for (std::int64_t chapter = 0; chapter < chapters; ++chapter) {
    const auto reader = dataset.open(split, chapter);
    while (read_next(*reader, take, refuse)) stop_if_interrupted();
  }
}

}  // namespace blip3u
