#include "data/sample_stream.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "blip3u/error.h"
#include "blip3u/random.h"
#include "data/cursor.h"
#include "data/order.h"
#include "data/workers.h"

namespace blip3u {

namespace {

constexpr std::size_t most_named = 5;

/// What a lane gives for a row.
struct Item {
  Sample sample;
  std::size_t source = 0;
  CursorPosition position;           // of the lane in that source, behind the sample
  std::vector<std::string> corrupt;  // what was passed over before it
};

void check(const std::vector<StreamSource>& sources, const StreamOptions& options) {
  const auto require = [](bool sound, const std::string& what) {
    if (!sound) throw Error(Fault::usage, "data: " + what);
  };
  require(!sources.empty(), "there are no sources; name one");
  for (const StreamSource& source : sources) {
    require(std::isfinite(source.weight) && source.weight > 0,
            fmt::format("source {} has the weight {}; give one above 0, or leave the source out", source.name,
                        source.weight));
  }
  require(options.batch >= 1 && options.first_row >= 0 && options.rows >= 1 &&
              options.first_row + options.rows <= options.batch,
          fmt::format("{} rows from row {} on do not lie in a batch of {}; use no more ranks than the batch has rows",
                      options.rows, options.first_row, options.batch));
  require(options.lanes >= 1 && options.window >= 1 && options.workers >= 0 && options.ahead >= 1,
          fmt::format("lanes {}, window {} and samples ahead {} must be at least 1, and workers {} at least 0",
                      options.lanes, options.window, options.ahead, options.workers));
  require(options.corrupt_share >= 0 && options.corrupt_share < 1,
          fmt::format("corrupt_share {} must be in [0, 1)", options.corrupt_share));
}

CursorTask task_for(const StreamSource& source, std::size_t index, const StreamOptions& options) {
  CursorTask task{.name = source.name,
                  .dataset = source.dataset,
                  .split = options.split,
                  .chapters = {},
                  .seed = derive_seed(derive_seed(options.seed, "source"), index),
                  .lanes = options.lanes,
                  .window = options.window,
                  .accept = source.accept};
  const auto* indexed = dynamic_cast<const Indexed*>(source.dataset);
  if (indexed == nullptr) task.chapters = source.dataset->chapters(options.split);
  if (indexed != nullptr ? indexed->samples(options.split) < 1 : task.chapters.empty()) {
    throw Error(fmt::format("data source {} is empty: it has no samples of this split; check its path", source.name));
  }
  return task;
}

}  // namespace

struct SampleStream::State {
  State(std::vector<StreamSource> named, StreamOptions given, const std::optional<StreamPosition>& from)
      : sources(std::move(named)), options(completed(std::move(given))), mix(mix_of()) {
    check(sources, options);
    for (std::size_t i = 0; i < sources.size(); ++i) tasks.push_back(task_for(sources[i], i, options));
    const auto lanes = static_cast<std::size_t>(options.lanes);
    position.lanes.resize(lanes);
    cursors.resize(lanes);
    if (from) check_fits(*from);
    position.row = from ? from->row : 0;
    std::int64_t run = 0;  // lanes of this rank
    worker_of.resize(lanes, -1);
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      if (!reads(static_cast<std::int64_t>(lane))) continue;
      position.lanes[lane] = from ? from->lanes[lane] : std::vector<CursorPosition>(sources.size());
      for (std::size_t i = 0; i < sources.size(); ++i) {
        cursors[lane].push_back(make_cursor(tasks[i], static_cast<std::int64_t>(lane), position.lanes[lane][i]));
      }
      worker_of[lane] = run++ % std::max<std::int64_t>(options.workers, 1);
    }
    start_workers(std::min(options.workers, run));
  }

  static StreamOptions completed(StreamOptions options) {
    if (options.lanes == 0) options.lanes = options.batch;
    if (options.rows < 0) options.rows = options.batch - options.first_row;
    return options;
  }

  Mix mix_of() const {
    std::vector<double> weights;
    for (const StreamSource& source : sources) weights.push_back(source.weight);
    return {options.seed, weights};
  }

  bool owns(std::int64_t row) const {
    const std::int64_t place = row % options.batch - options.first_row;
    return place >= 0 && place < options.rows;
  }

  /// Whether a row of this rank ever comes from the lane: whether g = lane (mod L) has a solution among its rows.
  bool reads(std::int64_t lane) const {
    const std::int64_t step = std::gcd(options.lanes, options.batch);
    for (std::int64_t row = options.first_row; row < options.first_row + options.rows; ++row) {
      if ((row - lane) % step == 0) return true;
    }
    return false;
  }

  void check_fits(const StreamPosition& from) const {
    bool fits = from.row >= 0 && from.lanes.size() == position.lanes.size();
    for (std::size_t lane = 0; fits && lane < from.lanes.size(); ++lane) {
      fits = !reads(static_cast<std::int64_t>(lane)) || from.lanes[lane].size() == sources.size();
    }
    if (fits) return;
    throw Error(
        fmt::format("the saved position in the data is not of {} lanes with {} sources; keep data.lanes (or the "
                    "batch) and the sources as they were, or train anew",
                    options.lanes, sources.size()));
  }

  std::size_t lane_of(std::int64_t row) const { return static_cast<std::size_t>(row % options.lanes); }

  Item make(std::int64_t row) {
    Item item;
    item.source = mix.pick(row);
    Cursor& cursor = *cursors[lane_of(row)][item.source];
    item.sample = cursor.next(item.corrupt);
    item.position = cursor.position();
    return item;
  }

  void start_workers(std::int64_t count) {
    for (std::int64_t worker = 0; worker < count; ++worker) {
      // Each makes the rows of its own lanes in their order, and nobody else touches these lanes' cursors.
      auto make_next = [this, worker, row = position.row]() mutable {
        while (worker_of[lane_of(row)] != worker) ++row;
        return make(row++);
      };
      workers.push_back(std::make_unique<Worker<Item>>(make_next, static_cast<std::size_t>(options.ahead)));
    }
  }

  /// The item of the next row, if this rank reads its lane.
  std::optional<Item> advance() {
    const std::size_t lane = lane_of(position.row);
    const std::int64_t worker = worker_of[lane];
    if (worker < 0) {
      ++position.row;
      return std::nullopt;
    }
    Item item = workers.empty() ? make(position.row) : workers[static_cast<std::size_t>(worker)]->take();
    position.lanes[lane][item.source] = item.position;
    ++position.row;
    if (!item.corrupt.empty()) count(item.corrupt);
    return item;
  }

  void count(const std::vector<std::string>& problems) {
    for (const std::string& problem : problems) {
      if (named.insert(problem).second && options.corrupt) options.corrupt(problem);
    }
    std::int64_t read = 0, corrupt = 0;
    for (const auto& lane : position.lanes) {
      for (const CursorPosition& cursor : lane) {
        read += cursor.read;
        corrupt += cursor.corrupt;
      }
    }
    const double expected = options.corrupt_share * static_cast<double>(read);
    const double most = options.corrupt_share == 0 ? 0 : expected + 3 * std::sqrt(expected) + 1;
    if (static_cast<double>(corrupt) <= most) return;
    std::vector<std::string> some(named.begin(), named.end());
    some.resize(std::min(some.size(), most_named));
    throw Error(
        fmt::format("data: {} of {} samples are corrupt, more than the share {} that data.corrupt_share allows; "
                    "mend the files or raise it. Among them:\n  {}",
                    corrupt, read, options.corrupt_share, fmt::join(some, "\n  ")));
  }

  std::vector<StreamSource> sources;
  StreamOptions options;
  Mix mix;
  std::vector<CursorTask> tasks;
  std::vector<std::vector<std::unique_ptr<Cursor>>> cursors;  // by lane and source
  std::vector<std::int64_t> worker_of;                        // by lane; -1: another rank's
  StreamPosition position;
  std::set<std::string> named;
  std::vector<std::unique_ptr<Worker<Item>>> workers;  // last: they use the others
};

SampleStream::SampleStream(std::vector<StreamSource> sources, StreamOptions options,
                           const std::optional<StreamPosition>& from)
    : state_(std::make_unique<State>(std::move(sources), std::move(options), from)) {}

SampleStream::~SampleStream() = default;

SampleStream::Row SampleStream::next() {
  State& state = *state_;
  while (!state.owns(state.position.row)) state.advance();
  const std::int64_t row = state.position.row;
  Item item = std::move(*state.advance());
  while (state.position.row % state.options.batch != 0 && !state.owns(state.position.row)) state.advance();
  return {.sample = std::move(item.sample), .row = row, .source = item.source};
}

StreamPosition SampleStream::position() const { return state_->position; }

std::int64_t SampleStream::corrupt() const {
  std::int64_t result = 0;
  for (const auto& lane : state_->position.lanes) {
    for (const CursorPosition& cursor : lane) result += cursor.corrupt;
  }
  return result;
}

}  // namespace blip3u
