#include "training/look_through.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "io/interrupt.h"
#include "io/picture_warnings.h"
#include "io/progress.h"
#include "io/say.h"

namespace blip3u {

namespace {

constexpr std::size_t most_named = 20;

/// The first of many, one a line.
std::string listed(const std::vector<std::string>& lines) {
  std::string text;
  for (std::size_t i = 0; i < std::min(lines.size(), most_named); ++i) text += "\n  " + lines[i];
  if (lines.size() > most_named) text += fmt::format("\n  and {} more", lines.size() - most_named);
  return text;
}

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

/// Reads one sample after the other.
class Looker {
 public:
  Looker(const std::function<void(const Sample&)>& take, ProgressBar* progress) : take_(take), progress_(progress) {}

  void look(const Dataset& dataset, Split split) {
    const auto chapters = static_cast<std::int64_t>(dataset.chapters(split).size());
    for (std::int64_t chapter = 0; chapter < chapters; ++chapter) {
      const auto reader = dataset.open(split, chapter);
      while (look_at_next(*reader)) {
        stop_if_interrupted();
        if (progress_ != nullptr) progress_->update(++done_);
      }
    }
  }

  LookedAt result() && { return std::move(result_); }

 private:
  /// False at the end.
  bool look_at_next(Reader& reader) {
    try {
      const std::optional<Sample> sample = reader.next();
      if (!sample) return false;
      const std::string problem = problem_of(*sample);
      if (problem.empty()) {
        take_(*sample);
      } else {
        note(fmt::format("sample '{}': {}; mend it or take it out", sample->id, problem));
      }
    } catch (const Error& error) {
      if (error.fault() != Fault::runtime || interrupted()) throw;
      note(error.what());
    }
    return true;
  }

  void note(const std::string& problem) {
    ++result_.bad;
    if (known_.insert(problem).second) result_.problems.push_back(problem);
  }

  const std::function<void(const Sample&)>& take_;
  ProgressBar* progress_;
  std::int64_t done_ = 0;
  std::set<std::string> known_;  // a picture may be in many samples
  LookedAt result_;
};

}  // namespace

LookedAt look_through(const TrainingData& data, Split split, const std::string& title,
                      const std::function<void(const Sample&)>& take) {
  const std::int64_t count = count_of(data, split);
  const auto progress = count < 0 ? nullptr : std::make_unique<ProgressBar>(title, count);
  Looker looker(take, progress.get());
  for (const Dataset* dataset : data.for_tasks().datasets) looker.look(*dataset, split);
  if (progress) progress->clear();
  return std::move(looker).result();
}

std::vector<std::string> look_at_training_samples(const TrainingData& data) {
  std::vector<std::string> texts;
  const LookedAt seen = look_through(data, Split::train, "data: training samples",
                                     [&](const Sample& sample) { add_texts(sample, texts); });
  if (seen.bad > 0) {
    say(fmt::format("data: {} training samples cannot be read, and will be passed over:{}", seen.bad,
                    listed(seen.problems)));
  }
  return texts;
}

void look_at_test_samples(const TrainingData& data) {
  const LookedAt seen = look_through(data, Split::test, "data: test samples", [](const Sample&) {});
  if (seen.bad == 0) return;
  if (seen.problems.size() == 1) throw Error("data: test: " + seen.problems.front());
  throw Error(fmt::format("data: {} test samples cannot be used; mend or remove:{}", seen.bad, listed(seen.problems)));
}

void say_picture_warnings() {
  const std::vector<std::string> warnings = take_picture_warnings();
  if (warnings.empty()) return;
  say(fmt::format("data: {} pictures were read in spite of a warning:{}", warnings.size(), listed(warnings)));
}

}  // namespace blip3u
