#include "training/look_through.h"

#include <memory>
#include <set>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "data/sound_samples.h"
#include "io/picture_warnings.h"
#include "io/progress.h"
#include "io/say.h"

namespace blip3u {

namespace {

/// The samples of all chapters; -1 if that is not known.
std::int64_t count_of(const TrainingData& data, Split split) {
  std::int64_t count = 0;
  for (const Dataset* dataset : data.for_tasks().datasets) {
    for (const Chapter& chapter : dataset->chapters(split)) {
      if (chapter.samples < 0) return -1;
      count += chapter.samples;
    }
  }
  return count;
}

}  // namespace

LookedAt look_through(const TrainingData& data, Split split, const std::string& title,
                      const std::function<void(const Sample&)>& take) {
  const std::int64_t count = count_of(data, split);
  const auto progress = count < 0 ? nullptr : std::make_unique<ProgressBar>(title, count);
  LookedAt result;
  std::set<std::string> known;  // a picture may be in many samples
  std::int64_t done = 0;
  const auto tick = [&] {
    if (progress) progress->update(++done);
  };
  for (const Dataset* dataset : data.for_tasks().datasets) {
    for_each_sound_sample(
        *dataset, split,
        [&](const Sample& sample) {
          take(sample);
          tick();
        },
        [&](const std::string& problem) {
          ++result.bad;
          if (known.insert(problem).second) result.problems.push_back(problem);
          tick();
        });
  }
  if (progress) progress->clear();
  return result;
}

std::vector<std::string> look_at_training_samples(const TrainingData& data) {
  std::vector<std::string> texts;
  const LookedAt seen = look_through(data, Split::train, "data: training samples",
                                     [&](const Sample& sample) { add_texts(sample, texts); });
  if (seen.bad > 0) {
    say(fmt::format("data: {} training samples cannot be read, and will be passed over:{}", seen.bad,
                    line_by_line(seen.problems)));
  }
  return texts;
}

void look_at_test_samples(const TrainingData& data) {
  const LookedAt seen = look_through(data, Split::test, "data: test samples", [](const Sample&) {});
  if (seen.bad == 0) return;
  if (seen.problems.size() == 1) throw Error("data: test: " + seen.problems.front());
  throw Error(
      fmt::format("data: {} test samples cannot be used; mend or remove:{}", seen.bad, line_by_line(seen.problems)));
}

void say_picture_warnings() {
  const std::vector<std::string> warnings = take_picture_warnings();
  if (warnings.empty()) return;
  say(fmt::format("data: {} pictures were read in spite of a warning:{}", warnings.size(), line_by_line(warnings)));
}

}  // namespace blip3u
