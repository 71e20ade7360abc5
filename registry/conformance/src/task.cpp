// Tasks: their scores of a model that is right, and of one that gives each item another one's answer.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

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

/// What a task makes of a model's replies.
struct Evaluation {
  std::vector<Item> items;
  std::vector<ItemRecord> records;
  std::vector<Score> scores;
};

Evaluation evaluate(const Subject& subject, const Shapes& shapes, std::int64_t shift) {
  const auto task = subject.make<Task>();
  const Dataset* const dataset = &shapes;
  const TaskData data{{&dataset, 1}, 64};
  const std::string missing = task->missing_for(data);
  if (!missing.empty()) skip("it cannot use the kit's data set of coloured shapes: {}", missing);
  KnowingModel model(shapes, shift, task->needs());
  const std::uint64_t seed = subject.options().seed;
  Evaluation result{.items = task->items(data, seed), .records = {}, .scores = {}};
  std::vector<std::size_t> all(result.items.size());
  std::iota(all.begin(), all.end(), 0);
  std::map<std::size_t, std::vector<blip3u::Output>> outputs;
  for (const ItemBatch& batch : batches_of(task->needs(), result.items, all)) {
    auto replies = ask(model, task->needs(), result.items, batch, data.image_size, seed);
    for (std::size_t i = 0; i < batch.size(); ++i) outputs[batch[i]] = std::move(replies[i]);
  }
  for (const auto& [place, replies] : outputs) {
    for (ItemRecord& record : task->score(result.items[place], replies)) result.records.push_back(std::move(record));
  }
  result.scores = task->summarise(data, result.records, seed);
  return result;
}

bool equal(const Item& a, const Item& b) {
  const auto same = [](const Tensor& x, const Tensor& y) { return x.equal(y); };
  return a.id == b.id && a.choices == b.choices && a.expected == b.expected && a.group == b.group &&
         a.replies == b.replies && a.labels == b.labels && std::ranges::equal(a.images, b.images, same);
}

void items_declared(const Subject& subject) {
  const Shapes shapes;
  const auto first = evaluate(subject, shapes, 0), second = evaluate(subject, shapes, 0);
  if (first.items.empty()) fail("it has no items, and did not say so by missing_for()");
  if (!std::ranges::equal(first.items, second.items, equal)) {
    fail("items() of two tasks with equal parameters differ; let them depend on the data and the seed alone");
  }
  std::set<std::string> ids;
  for (const Item& item : first.items) {
    if (!ids.insert(item.id).second) fail("the id `{}` stands twice; make ids unique", item.id);
    if (item.replies < 1) fail("item `{}` asks for {} replies", item.id, item.replies);
    for (const Tensor& image : item.images) {
      if (is_picture(image)) continue;
      fail("a picture of item `{}` is not [3,H,W] uint8 on the CPU", item.id);
    }
  }
}

/// Nothing but the replies may decide what score() says.
void scores_are_pure(const Subject& subject) {
  const Shapes shapes;
  const Evaluation right = evaluate(subject, shapes, 0);
  evaluate(subject, shapes, 10);
  const Evaluation again = evaluate(subject, shapes, 0);
  const auto same = [](const ItemRecord& a, const ItemRecord& b) {
    return a.id == b.id && a.output == b.output && a.score == b.score && a.values == b.values;
  };
  if (!std::ranges::equal(right.records, again.records, same)) {
    fail("score() of the same replies differs after others were scored; let its arguments alone decide");
  }
  std::int64_t expected = 0;
  for (const Item& item : right.items) expected += item.replies;
  if (std::ssize(right.records) != expected) {
    fail("score() gave {} records for {} replies; give one for each", right.records.size(), expected);
  }
}

void intervals(const Subject& subject) {
  const Shapes shapes;
  for (const std::int64_t shift : {0, 10}) {
    const Evaluation evaluation = evaluate(subject, shapes, shift);
    std::set<std::string> names;
    for (const Score& score : evaluation.scores) {
      if (!names.insert(score.name).second) fail("two scores are called `{}`", score.name);
      if (!std::isfinite(score.low) || !std::isfinite(score.high)) {
        fail("the interval of `{}` is [{}, {}]", score.name, score.low, score.high);
      }
      constexpr double rounding = 1e-9;
      if (score.value < score.low - rounding || score.value > score.high + rounding) {
        fail("the interval [{:.4g}, {:.4g}] of `{}` does not hold its value {:.4g}", score.low, score.high, score.name,
             score.value);
      }
      if (score.count < 1) fail("`{}` is of {} items", score.name, score.count);
      if (!score.reference && score.count > std::ssize(evaluation.records)) {
        fail("`{}` is said to be of {} items, but there are {}", score.name, score.count, evaluation.records.size());
      }
    }
  }
}

/// The scores that are no references, of both models. Throws what `evaluate` throws.
std::vector<Pair> score_pairs(const Subject& subject) {
  const Shapes shapes;
  const auto expects = [](const Item& item) { return !item.expected.empty(); };
  if (std::ranges::none_of(evaluate(subject, shapes, 0).items, expects)) {
    skip("its items expect nothing, so that no reply is right or wrong");
  }
  std::map<std::string, Score> of_shuffled;
  constexpr std::int64_t shift = 10;  // another colour and another shape
  for (const Score& score : evaluate(subject, shapes, shift).scores) of_shuffled[score.name] = score;
  std::vector<Pair> pairs;
  for (const Score& score : evaluate(subject, shapes, 0).scores) {
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
