#include "data/cursor.h"

#include <functional>
#include <numeric>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "blip3u/random.h"
#include "data/order.h"
#include "io/interrupt.h"

namespace blip3u {

namespace {

constexpr std::size_t most_corrupt = 1000;  // in a row

/// Nothing if the sample is corrupt, and then why. Errors that are no sample's own go on.
std::optional<Sample> sound_sample(const std::function<std::optional<Sample>()>& read,
                                   const std::function<std::string()>& place, std::vector<std::string>& corrupt,
                                   bool& at_end) {
  try {
    std::optional<Sample> sample = read();
    at_end = !sample;
    if (!sample) return std::nullopt;
    const std::string problem = problem_of(*sample);
    if (problem.empty()) return sample;
    corrupt.push_back(fmt::format("{}: sample '{}': {}", place(), sample->id, problem));
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    if (error.fault() != Fault::runtime) throw;
    corrupt.push_back(fmt::format("{}: {}", place(), error.what()));
  }
  return std::nullopt;
}

[[noreturn]] void throw_barren(const CursorTask& task, std::int64_t read, const std::vector<std::string>& corrupt) {
  throw Error(fmt::format("data source {}: no {} sample among the latest {}{}{}; check the files{}", task.name,
                          task.accept ? "sound and usable" : "sound", read,
                          corrupt.empty() ? "" : ", the last: ", corrupt.empty() ? "" : corrupt.back(),
                          task.accept ? ", the source's filter, and what the stage learns" : ""));
}

/// A share of usable samples below one in so many of a pass is taken for none.
constexpr std::int64_t most_passes = 4;

/// Lane l draws the places l, l+L, ... of one endless row of shuffled passes.
class IndexedCursor final : public Cursor {
 public:
  IndexedCursor(const CursorTask& task, const Indexed& indexed, std::int64_t lane, const CursorPosition& from)
      : task_(task), indexed_(indexed), size_(indexed.samples(task.split)), lane_(lane), position_(from) {}

  Sample next(std::vector<std::string>& corrupt) override {
    const std::size_t before = corrupt.size();
    for (std::int64_t refused = 0; refused <= most_passes * size_;) {
      const std::int64_t place = lane_ + position_.offset * task_.lanes;
      position_.pass = place / size_;
      const auto seed = derive_seed(task_.seed, static_cast<std::uint64_t>(position_.pass));
      const std::int64_t index = permuted(seed, size_, place % size_);
      ++position_.offset;
      ++position_.read;
      bool at_end = false;
      auto sample = sound_sample([&] { return std::optional(indexed_.sample(task_.split, index)); },
                                 [&] { return fmt::format("{}, sample {}", task_.name, index); }, corrupt, at_end);
      if (sample && (!task_.accept || task_.accept(*sample))) return std::move(*sample);
      ++(sample ? refused : position_.corrupt);
      if (corrupt.size() - before >= most_corrupt) throw_barren(task_, most_corrupt, corrupt);
    }
    throw_barren(task_, most_passes * size_, corrupt);
  }

  CursorPosition position() const override { return position_; }

 private:
  const CursorTask& task_;
  const Indexed& indexed_;
  std::int64_t size_, lane_;
  CursorPosition position_;
};

/// Lane l reads the chapters l, l+L, ... of a pass's permutation, a window of samples at a time, each window shuffled.
/// If there are fewer chapters than lanes, those that share one take its samples in turn.
class ChapterCursor final : public Cursor {
 public:
  ChapterCursor(const CursorTask& task, std::int64_t lane, const CursorPosition& from)
      : task_(task), lane_(lane), position_(from), end_(from) {
    end_.taken = 0;
  }

  Sample next(std::vector<std::string>& corrupt) override {
    if (window_.empty() && position_.taken > 0) restore();
    const std::size_t before = corrupt.size();
    const std::int64_t read_before = end_.read, first_pass = end_.pass;
    while (position_.taken == static_cast<std::int64_t>(window_.size())) {
      fill(corrupt);
      const bool nothing = window_.empty();
      // A lane that shares a chapter of few samples may find none in a pass; its place there changes with the pass.
      if (nothing && (corrupt.size() - before >= most_corrupt || end_.pass - first_pass > 4 * task_.lanes + 64)) {
        throw_barren(task_, end_.read - read_before, corrupt);
      }
    }
    const auto place = static_cast<std::size_t>(order_[static_cast<std::size_t>(position_.taken++)]);
    return std::move(window_[place]);
  }

  CursorPosition position() const override {
    return position_.taken == static_cast<std::int64_t>(window_.size()) && !window_.empty() ? end_ : position_;
  }

 private:
  std::int64_t chapter_count() const { return static_cast<std::int64_t>(task_.chapters.size()); }

  /// Reads the next window, beginning where the last one ended.
  void fill(std::vector<std::string>& corrupt) {
    position_ = end_;
    window_.clear();
    for (std::int64_t slot = 0; slot < task_.window && read_one(corrupt); ++slot) {
    }
    position_.read = end_.read;
    position_.corrupt = end_.corrupt;
    auto seed = derive_seed(task_.seed, "window");
    for (const auto part : {position_.pass, lane_, position_.chapter, position_.offset}) {
      seed = derive_seed(seed, static_cast<std::uint64_t>(part));
    }
    const auto size = static_cast<std::int64_t>(window_.size());
    order_.resize(window_.size());
    for (std::int64_t i = 0; i < size; ++i) order_[static_cast<std::size_t>(i)] = permuted(seed, size, i);
  }

  /// Reads the window of a saved position again; its corrupt samples were counted and named then.
  void restore() {
    const CursorPosition saved = position_;
    std::vector<std::string> known;
    fill(known);
    end_.read = position_.read = saved.read;
    end_.corrupt = position_.corrupt = saved.corrupt;
    position_.taken = saved.taken;
    if (position_.taken >= static_cast<std::int64_t>(window_.size())) {
      throw Error(fmt::format("data source {}: {} samples less than when training stopped; put the files back",
                              task_.name, position_.taken - static_cast<std::int64_t>(window_.size()) + 1));
    }
  }

  /// Reads one sample into the window, unless it is corrupt. False at the end of a pass, which begins the next.
  bool read_one(std::vector<std::string>& corrupt) {
    for (;;) {
      const std::int64_t count = chapter_count();
      const std::int64_t turn = lane_ % count + end_.chapter * task_.lanes;
      if (turn >= count) {
        end_.chapter = end_.offset = 0;
        ++end_.pass;
        return false;
      }
      const auto seed = derive_seed(task_.seed, static_cast<std::uint64_t>(end_.pass));
      const auto chapter = permuted(seed, count, turn);
      const std::int64_t sharers = count < task_.lanes ? (task_.lanes - turn + count - 1) / count : 1;
      const std::int64_t share = (lane_ / count + end_.pass) % sharers;
      if (!reader_) {
        reader_ = task_.dataset->open(task_.split, chapter);
        reader_at_ = 0;
      }
      const std::int64_t sample_place = share + end_.offset * sharers;
      if (sample_place > reader_at_) reader_->skip(sample_place - reader_at_);
      reader_at_ = sample_place + 1;
      bool at_end = false;
      const std::size_t corrupt_before = corrupt.size();
      const std::string& name = task_.chapters[static_cast<std::size_t>(chapter)].name;
      auto sample = sound_sample([&] { return reader_->next(); },
                                 [&] { return fmt::format("{}, {}, sample {}", task_.name, name, sample_place); },
                                 corrupt, at_end);
      if (at_end) {
        reader_.reset();
        ++end_.chapter;
        end_.offset = 0;
        continue;
      }
      ++end_.offset;
      ++end_.read;
      end_.corrupt += static_cast<std::int64_t>(corrupt.size() - corrupt_before);
      if (sample && (!task_.accept || task_.accept(*sample))) window_.push_back(std::move(*sample));
      return true;
    }
  }

  const CursorTask& task_;
  std::int64_t lane_;
  CursorPosition position_;  // the window's beginning, and how much of it is taken
  CursorPosition end_;       // where the next window begins
  std::vector<Sample> window_;
  std::vector<std::int64_t> order_;
  std::unique_ptr<Reader> reader_;
  std::int64_t reader_at_ = 0;
};

}  // namespace

std::unique_ptr<Cursor> make_cursor(const CursorTask& task, std::int64_t lane, const CursorPosition& from) {
  if (const auto* indexed = dynamic_cast<const Indexed*>(task.dataset)) {
    return std::make_unique<IndexedCursor>(task, *indexed, lane, from);
  }
  return std::make_unique<ChapterCursor>(task, lane, from);
}

}  // namespace blip3u
