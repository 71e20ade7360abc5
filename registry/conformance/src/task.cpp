// Tasks: their scores of a model that is right, and of one that gives each item another one's answer.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "blip3u/task.h"
#include "evaluating/ask.h"
#include "kinds.h"
#include "model/pictures.h"
#include "shapes.h"

namespace blip3u::conformance {

namespace {

struct Pair {
  Score perfect, shuffled;
  double gain() const {
    const double difference = perfect.value - shuffled.value;
    return perfect.higher_is_better ? difference : -difference;
  }
};

using Replies = std::vector<std::vector<blip3u::Output>>;  // to each item
using Records = std::vector<std::vector<ItemRecord>>;      // of each item

constexpr std::int64_t elsewhere = 10;  // from a picture to one of another colour and another shape

/// A task, and what models that know the kit's data set by heart reply to its items.
class Trial {
 public:
  explicit Trial(const Subject& subject) : seed_(subject.options().seed), task_(subject.make<Task>()) {
    const std::string missing = task_->missing_for(data_);
    if (!missing.empty()) skip("it cannot use the kit's data set of coloured shapes: {}", missing);
    items_ = task_->items(data_, seed_);
  }
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  const std::vector<Item>& items() const { return items_; }

  /// Of a model that gives for each item the right answer of the one `shift` places on: 0 is perfect.
  Replies replies(std::int64_t shift) const {
    KnowingModel model(shapes_, shift, task_->needs());
    std::vector<std::size_t> all(items_.size());
    std::iota(all.begin(), all.end(), 0);
    Replies replies(items_.size());
    for (const ItemBatch& batch : batches_of(task_->needs(), items_, all)) {
      auto some = ask(model, task_->needs(), items_, batch, data_.image_size, seed_);
      for (std::size_t i = 0; i < batch.size(); ++i) replies[batch[i]] = std::move(some[i]);
    }
    return replies;
  }

  std::vector<ItemRecord> score(std::size_t item, const Replies& replies) const {
    return task_->score(items_[item], replies[item]);
  }

  Records score(const Replies& replies) const {
    Records records;
    for (std::size_t i = 0; i < items_.size(); ++i) records.push_back(score(i, replies));
    return records;
  }

  std::vector<Score> summarise(const Records& records) const {
    std::vector<ItemRecord> all;
    for (const auto& some : records) all.insert(all.end(), some.begin(), some.end());
    return task_->summarise(data_, all, seed_);
  }

  /// Which items stand and fall with this one.
  const std::string& group_of(std::size_t item) const {
    return items_[item].group.empty() ? items_[item].id : items_[item].group;
  }

 private:
  Shapes shapes_;
  const Dataset* dataset_ = &shapes_;
  TaskData data_{{&dataset_, 1}, 64};
  std::uint64_t seed_;
  std::unique_ptr<Task> task_;
  std::vector<Item> items_;
};

bool same_item(const Item& a, const Item& b) {
  const auto same = [](const Tensor& x, const Tensor& y) { return x.equal(y); };
  return a.id == b.id && a.choices == b.choices && a.expected == b.expected && a.group == b.group &&
         a.replies == b.replies && a.labels == b.labels && std::ranges::equal(a.images, b.images, same);
}

bool same_record(const ItemRecord& a, const ItemRecord& b) {
  const auto same = [](const auto& x, const auto& y) {
    return x.first == y.first && (x.second == y.second || (std::isnan(x.second) && std::isnan(y.second)));
  };
  return a.id == b.id && a.input == b.input && a.output == b.output && a.expected == b.expected && a.score == b.score &&
         a.group == b.group && a.labels == b.labels && std::ranges::equal(a.values, b.values, same);
}

bool same_score(const Score& a, const Score& b) {
  return a.name == b.name && a.value == b.value && a.low == b.low && a.high == b.high && a.count == b.count;
}

void items_declared(const Subject& subject) {
  const Trial first(subject), second(subject);
  if (first.items().empty()) fail("it has no items, and did not say so by missing_for()");
  if (!std::ranges::equal(first.items(), second.items(), same_item)) {
    fail("items() of two tasks with equal parameters differ; let them depend on the data and the seed alone");
  }
  std::set<std::string> ids;
  for (const Item& item : first.items()) {
    if (!ids.insert(item.id).second) fail("the id `{}` stands twice; make ids unique", item.id);
    if (item.replies < 1) fail("item `{}` asks for {} replies", item.id, item.replies);
    for (const Tensor& image : item.images) {
      if (is_picture(image)) continue;
      fail("a picture of item `{}` is not [3,H,W] uint8 on the CPU", item.id);
    }
  }
}

/// Scored once, in their order.
Records sound_records(const Trial& trial, const Replies& replies) {
  Records records = trial.score(replies);
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Item& item = trial.items()[i];
    if (std::ssize(records[i]) != item.replies) {
      fail("score() gave {} records for {} replies to `{}`; give one for each", records[i].size(), item.replies,
           item.id);
    }
    for (const ItemRecord& record : records[i]) {
      if (!std::isfinite(record.score)) fail("score() of a reply to `{}` is {}", item.id, record.score);
    }
  }
  return records;
}

/// Nothing but the replies may decide what score() says, and nothing but the records what summarise() says.
void scores_are_pure(const Subject& subject) {
  const Trial trial(subject);
  const Replies right = trial.replies(0), shuffled = trial.replies(elsewhere);
  const Records first = sound_records(trial, right), others = sound_records(trial, shuffled);
  const auto require = [&](std::size_t item, const std::vector<ItemRecord>& again) {
    if (std::ranges::equal(again, first[item], same_record)) return;
    fail("score() of the same replies to `{}` differs after others were scored; let its arguments alone decide",
         trial.items()[item].id);
  };
  for (std::size_t i = first.size(); i-- > 0;) {
    trial.score(i, shuffled);
    require(i, trial.score(i, right));
  }
  const auto fresh = subject.make<Task>();  // has not been asked for items
  for (std::size_t i = 0; i < first.size(); ++i) require(i, fresh->score(trial.items()[i], right[i]));
  const auto scores = trial.summarise(first);
  trial.summarise(others);
  if (!std::ranges::equal(scores, trial.summarise(first), same_score)) {
    fail("summarise() of the same records differs after others were summed up; let its arguments alone decide");
  }
}

using Named = std::map<std::string, Score>;

/// The scores of these records, each sound by itself.
Named sound_scores(const Trial& trial, const Records& records) {
  std::int64_t count = 0;
  for (const auto& some : records) count += std::ssize(some);
  Named scores;
  for (const Score& score : trial.summarise(records)) {
    if (!scores.emplace(score.name, score).second) fail("two scores are called `{}`", score.name);
    if (!std::isfinite(score.value)) fail("the score `{}` is {}", score.name, score.value);
    if (!std::isfinite(score.low) || !std::isfinite(score.high)) {
      fail("the interval of `{}` is [{}, {}]", score.name, score.low, score.high);
    }
    constexpr double rounding = 1e-9;
    if (score.value < score.low - rounding || score.value > score.high + rounding) {
      fail("the interval [{:.4g}, {:.4g}] of `{}` does not hold its value {:.4g}", score.low, score.high, score.name,
           score.value);
    }
    if (score.count < 1) fail("`{}` is of {} items", score.name, score.count);
    if (!score.reference && score.count > count) {
      fail("`{}` is said to be of {} items, but there are {}", score.name, score.count, count);
    }
  }
  return scores;
}

/// Whether both have a score of this name, and not the same.
bool differ(const Named& a, const Named& b, const std::string& name) {
  const auto one = a.find(name), other = b.find(name);
  return one != a.end() && other != b.end() && one->second.value != other->second.value;
}

/// A score is of as many items as change it, at least. (Of as many groups: some may count those.)
void counts(const Trial& trial, const Records& right, const Records& wrong) {
  const Named scores = sound_scores(trial, right);
  std::map<std::string, std::set<std::string>> groups;  // that change a score
  for (std::size_t i = 0; i < right.size(); ++i) {
    Records one_wrong = right;
    one_wrong[i] = wrong[i];
    const Named now = sound_scores(trial, one_wrong);
    for (const auto& [name, score] : scores) {
      if (differ(scores, now, name)) groups[name].insert(trial.group_of(i));
    }
  }
  for (const auto& [name, score] : scores) {
    if (score.reference || score.count >= std::ssize(groups[name])) continue;
    fail("`{}` is said to be of {} items, but those of {} groups change it; count all", name, score.count,
         groups[name].size());
  }
}

void intervals(const Subject& subject) {
  const Trial trial(subject);
  const Records right = trial.score(trial.replies(0));
  Records wrong = trial.score(trial.replies(elsewhere)), others = trial.score(trial.replies(elsewhere + 1));
  for (std::size_t i = 0; i < right.size(); ++i) {  // "no" may be right elsewhere too
    const auto score = &ItemRecord::score;
    if (std::ranges::equal(wrong[i], right[i], {}, score, score)) wrong[i] = std::move(others[i]);
  }
  counts(trial, right, wrong);
  Records mixed = right;
  std::map<std::string, bool> is_wrong;  // every second group
  for (std::size_t i = 0; i < mixed.size(); ++i) {
    const bool even = is_wrong.size() % 2 == 0;
    if (is_wrong.emplace(trial.group_of(i), !even).first->second) mixed[i] = wrong[i];
  }
  const Named best = sound_scores(trial, right), worst = sound_scores(trial, wrong),
              between = sound_scores(trial, mixed);
  for (const auto& [name, score] : between) {
    if (score.reference || !differ(between, best, name) || !differ(between, worst, name)) continue;
    if (score.low < score.high) continue;
    fail("the interval of `{}` has no width where its items differ; say how sure the value is", name);
  }
}

/// The scores that are no references, of both models. Throws what `Trial` throws.
std::vector<Pair> score_pairs(const Subject& subject) {
  const Trial trial(subject);
  const auto expects = [](const Item& item) { return !item.expected.empty(); };
  if (std::ranges::none_of(trial.items(), expects)) {
    skip("its items expect nothing, so that no reply is right or wrong");
  }
  std::map<std::string, Score> of_shuffled;
  for (const Score& score : trial.summarise(trial.score(trial.replies(elsewhere)))) {
    if (!std::isfinite(score.value)) fail("the score `{}` of a model that is wrong is {}", score.name, score.value);
    of_shuffled[score.name] = score;
  }
  std::vector<Pair> pairs;
  for (const Score& score : trial.summarise(trial.score(trial.replies(0)))) {
    if (!std::isfinite(score.value)) fail("the score `{}` of a perfect model is {}", score.name, score.value);
    const auto found = of_shuffled.find(score.name);
    if (!score.reference && found != of_shuffled.end()) pairs.push_back({score, found->second});
  }
  if (pairs.empty()) fail("it returns no score that is not a reference");
  return pairs;
}

void perfect_is_best(const std::vector<Pair>& pairs) {
  bool any = false;
  for (const Pair& pair : pairs) {
    const Score& score = pair.perfect;
    if (pair.perfect.value == pair.shuffled.value) continue;  // it does not measure whether answers are right
    any = true;
    if (pair.gain() < 0) {
      fail("`{}` is {:.4g} for a perfect model and {:.4g} for one that gives each item another's answer; {}",
           score.name, score.value, pair.shuffled.value, "correct it or Score::higher_is_better");
    }
    if (score.higher_is_better && std::abs(score.value - 1) > 1e-6) {
      fail("`{}` is {:.4g} for a model that answers everything right, instead of 1", score.name, score.value);
    }
  }
  if (!any) fail("no score tells a perfect model from one that gives each item another's answer");
}

std::string shuffled_is_worse(const std::vector<Pair>& pairs) {
  for (const Pair& pair : pairs) {
    const double size = std::max(std::abs(pair.perfect.value), std::abs(pair.shuffled.value));
    if (pair.gain() > 0.2 * size) {
      return fmt::format("`{}` falls from {:.4g} to {:.4g}", pair.perfect.name, pair.perfect.value,
                         pair.shuffled.value);
    }
  }
  fail("no score is clearly worse for a model that gives each item another's answer; compare answer and item");
}

}  // namespace

void check_task(Recorder& recorder, const Subject& subject) {
  recorder.run("items", [&] { items_declared(subject); });
  recorder.run("pure_scores", [&] { scores_are_pure(subject); });
  recorder.run("intervals", [&] { intervals(subject); });
  std::vector<Pair> pairs;
  recorder.run("perfect_is_best", [&] {
    pairs = score_pairs(subject);
    perfect_is_best(pairs);
  });
  recorder.run("shuffled_is_worse", [&] {
    if (pairs.empty()) pairs = score_pairs(subject);  // as above, with the reason
    return shuffled_is_worse(pairs);
  });
}

}  // namespace blip3u::conformance
