// Tasks: their scores of a model that is right, and of one that gives each item another one's answer.
#include <cmath>
#include <map>

#include "blip3u/task.h"
#include "kinds.h"
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

TaskResult evaluate(const Subject& subject, const Shapes& shapes, std::int64_t shift) {
  const auto task = subject.make<Task>();
  const std::string missing = task->missing_for(shapes);
  if (!missing.empty()) skip("it cannot use the kit's data set of coloured shapes: {}", missing);
  KnowingModel model(shapes, shift, task->needs());
  return task->evaluate({.model = model, .dataset = shapes, .seed = subject.options().seed, .progress = {}});
}

/// The scores that are no references, of both models. Throws what `evaluate` throws.
std::vector<Pair> score_pairs(const Subject& subject) {
  const Shapes shapes;
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
