// Tasks that are wrong in one way each, and a `sound` one, from which they differ.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <string>
#include <vector>

#include "blip3u/plugin.h"
#include "blip3u/task.h"

namespace blip3u::mutants {
namespace {

/// The share of test questions that are answered word for word.
class Answers : public Task {
 public:
  Answers(const Parameters&, const BuildContext&) {}

  Model::Ability needs() const override { return Model::Ability::answer; }

  std::vector<Item> items(const TaskData& data, std::uint64_t) const override {
    std::vector<Item> items;
    for (const Dataset* dataset : data.datasets) {
      for_each_sample(*dataset, Split::test, [&](Sample&& sample) {
        if (sample.messages.size() != 2 || sample.messages[1].content[0].type != Part::Type::text) return true;
        items.push_back({.id = sample.id,
                         .messages = {sample.messages[0]},
                         .images = sample.images,
                         .expected = sample.messages[1].content[0].text});
        return true;
      });
    }
    return items;
  }

  std::string missing_for(const TaskData& data) const override {
    return items(data, 0).empty() ? "the data set has no test questions; give it some, or take the task out" : "";
  }

  std::vector<ItemRecord> score(const Item& item, std::span<const Output> outputs) const override {
    std::vector<ItemRecord> records;
    for (const Output& output : outputs) {
      records.push_back({.id = item.id,
                         .input = item.messages[0].content.back().text,
                         .output = output.text,
                         .expected = item.expected,
                         .score = matches(output.text, item.expected) ? 1.0 : 0.0});
    }
    return records;
  }

  std::vector<Score> summarise(const TaskData&, std::span<const ItemRecord> records, std::uint64_t) const override {
    std::int64_t right = 0;
    for (const ItemRecord& record : records) right += record.score == 1 ? 1 : 0;
    return {share(right, static_cast<std::int64_t>(records.size()))};
  }

 protected:
  virtual bool matches(const std::string& answer, const std::string& expected) const { return answer == expected; }

  virtual Score share(std::int64_t right, std::int64_t count) const {
    const auto items = static_cast<double>(std::max<std::int64_t>(count, 1));
    const double value = static_cast<double>(right) / items, error = 1.96 * std::sqrt(value * (1 - value) / items);
    return {.name = "answers",
            .protocol = "exact_match@1",
            .value = value,
            .low = std::max(0.0, value - error),
            .high = std::min(1.0, value + error),
            .interval = "normal",
            .count = count};
  }
};

/// Counts one question too many.
class NeverFull : public Answers {
  using Answers::Answers;
  Score share(std::int64_t right, std::int64_t count) const override { return Answers::share(right, count + 1); }
};

class LikesAll : public Answers {
  using Answers::Answers;
  bool matches(const std::string&, const std::string&) const override { return true; }
};

/// Says that it needs another ability than the one it uses.
class NeedsLittle : public Answers {
  using Answers::Answers;
  Model::Ability needs() const override { return Model::Ability::reconstruct; }
};

/// Asks the same thing twice under one name.
class RepeatsItem : public Answers {
  using Answers::Answers;
  std::vector<Item> items(const TaskData& data, std::uint64_t seed) const override {
    auto items = Answers::items(data, seed);
    if (!items.empty()) items.push_back(items.front());
    return items;
  }
};

/// Remembers how many it has scored.
class RemembersScores : public Answers {
  using Answers::Answers;
  bool matches(const std::string& answer, const std::string& expected) const override {
    static int scored = 0;
    return ++scored % 7 != 0 && Answers::matches(answer, expected);
  }
};

/// Scores everything as wrong once it has scored a hundred replies.
class Tires : public Answers {
  using Answers::Answers;
  bool matches(const std::string& answer, const std::string& expected) const override {
    return ++scored_ <= 100 && Answers::matches(answer, expected);
  }
  mutable std::atomic<int> scored_ = 0;
};

/// Gives the record of one item to another.
class MovesRecord : public Answers {
  using Answers::Answers;
  std::vector<ItemRecord> score(const Item& item, std::span<const Output> outputs) const override {
    auto records = Answers::score(item, outputs);
    if (item.id == "0#0") records.push_back(records.back());
    if (item.id == "0#1") records.pop_back();
    return records;
  }
};

/// Scores a wrong reply by no number.
class ScoresByNan : public Answers {
  using Answers::Answers;
  std::vector<ItemRecord> score(const Item& item, std::span<const Output> outputs) const override {
    auto records = Answers::score(item, outputs);
    for (ItemRecord& record : records) {
      if (record.score == 0) record.score = std::nan("");
    }
    return records;
  }
};

/// Every third of its summaries is of nothing right.
class RemembersSums : public Answers {
  using Answers::Answers;
  Score share(std::int64_t right, std::int64_t count) const override {
    return Answers::share(++summed_ % 3 == 0 ? 0 : right, count);
  }
  mutable std::atomic<int> summed_ = 0;
};

/// Says that it is of one item less.
class CountsFew : public Answers {
  using Answers::Answers;
  Score share(std::int64_t right, std::int64_t count) const override {
    Score score = Answers::share(right, count);
    --score.count;
    return score;
  }
};

/// Takes its value for certain.
class NoWidth : public Answers {
  using Answers::Answers;
  Score share(std::int64_t right, std::int64_t count) const override {
    Score score = Answers::share(right, count);
    score.low = score.high = score.value;
    return score;
  }
};

/// Its value is no number unless everything is right.
class NanWhenWrong : public Answers {
  using Answers::Answers;
  Score share(std::int64_t right, std::int64_t count) const override {
    Score score = Answers::share(right, count);
    if (right < count) score.value = std::nan("");
    return score;
  }
};

/// Its interval lies beside its value.
class IntervalBeside : public Answers {
  using Answers::Answers;
  Score share(std::int64_t right, std::int64_t count) const override {
    Score score = Answers::share(right, count);
    score.low = score.value + 0.1;
    score.high = score.value + 0.2;
    return score;
  }
};

template <class T>
constexpr ComponentDescriptor task(const char* name, const char* summary) {
  return {.kind = Kind::task, .name = name, .summary = summary, .create = create<T>};
}

constexpr ComponentDescriptor components[] = {
    task<Answers>("sound", "Nothing is wrong with it."),
    task<NeverFull>("never_full", "Divides by one question too many, so that nobody scores 1."),
    task<NeedsLittle>("needs_little", "Uses an ability that it does not name."),
    task<RepeatsItem>("repeats_item", "Two of its items have one id."),
    task<RemembersScores>("remembers_scores", "Scores every seventh reply as wrong."),
    task<Tires>("tires", "Scores everything as wrong after a hundred replies."),
    task<MovesRecord>("moves_record", "Gives the record of one item to another."),
    task<ScoresByNan>("scores_by_nan", "Scores a wrong reply by no number."),
    task<RemembersSums>("remembers_sums", "Every third of its summaries is of nothing right."),
    task<CountsFew>("counts_few", "Says that it is of one item less."),
    task<NoWidth>("no_width", "Takes its value for certain."),
    task<NanWhenWrong>("nan_when_wrong", "Its value is no number unless everything is right."),
    task<IntervalBeside>("interval_beside", "Its interval does not hold its value."),
    task<LikesAll>("likes_all", "Scores every answer as right."),
};

}  // namespace
}  // namespace blip3u::mutants

BLIP3U_PLUGIN("mutant_tasks", "0.1.0", "Apache-2.0", blip3u::mutants::components)
