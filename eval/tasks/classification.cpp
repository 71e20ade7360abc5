// Zero-shot classification: which class caption is most like the image?
#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ops/argmax.h>

#include "blip3u/error.h"
#include "blip3u/plugin.h"
#include "blip3u/task.h"
#include "components.h"
#include "eval/shapes.h"
#include "eval/statistics.h"
#include "shape_judge.h"

namespace blip3u::eval {

namespace {

constexpr const char* protocol = "top1@1";

class Classification final : public Task {
 public:
  Classification(const Parameters&, const BuildContext&) {}

  Model::Ability needs() const override { return Model::Ability::classify; }

  TaskResult evaluate(const TaskContext& context) override {
    const auto& dataset = context.dataset;
    const auto classes = dataset.classes();
    if (classes.empty()) {
      throw Error(Fault::usage, "task classification: the data set has no classes; take the task out of the recipe");
    }
    std::vector<std::int64_t> indices, truths, frequency(classes.size(), 0);
    for (std::int64_t index = 0; index < dataset.size(Split::test); ++index) {
      const auto found = std::ranges::find(classes, dataset.example(Split::test, index).caption);
      if (found == classes.end()) continue;  // its class is unknown
      indices.push_back(index);
      truths.push_back(found - classes.begin());
      ++frequency[static_cast<std::size_t>(truths.back())];
    }
    if (indices.empty()) {
      throw Error(
          "task classification: no test image is captioned by one of the classes, so there is nothing to score");
    }

    std::vector<ColouredShape> shapes;  // of the classes, if all name one
    for (const auto& caption : classes) {
      if (const auto shape = parse_coloured_shape(caption)) shapes.push_back(*shape);
    }
    ShapeTally tally;
    std::int64_t right = 0;
    TaskResult result;
    in_pieces(static_cast<std::int64_t>(indices.size()), 256, context.progress,
              [&](std::int64_t first, std::int64_t last) {
                const std::vector<std::int64_t> piece(indices.begin() + first, indices.begin() + last);
                const Tensor guesses = context.model.classify(stack_images(dataset, piece), classes)
                                           .argmax(1)
                                           .to(at::kCPU, at::kLong)
                                           .contiguous();
                for (auto i = first; i < last; ++i) {
                  const auto truth = static_cast<std::size_t>(truths[static_cast<std::size_t>(i)]);
                  const auto guess = static_cast<std::size_t>(guesses.const_data_ptr<std::int64_t>()[i - first]);
                  if (guess == truth) ++right;
                  if (shapes.size() == classes.size()) {
                    tally.add({.found = shapes[guess], .reason = {}}, shapes[truth]);
                  }
                  result.items.push_back({.id = dataset.example(Split::test, indices[static_cast<std::size_t>(i)]).id,
                                          .input = "one of the class captions",
                                          .output = classes[guess],
                                          .expected = classes[truth],
                                          .score = guess == truth ? 1.0 : 0.0});
                }
              });
    const auto count = static_cast<std::int64_t>(indices.size());
    result.scores.push_back(share_score("classification", protocol, right, count));
    if (tally.count() > 0) {
      auto by_word = tally.scores("classification", protocol);
      result.scores.insert(result.scores.end(), by_word.begin() + 1, by_word.end());
    }
    result.scores.push_back(
        as_reference(share_score("classification/most_frequent_class", protocol, std::ranges::max(frequency), count)));
    return result;
  }
};

}  // namespace

std::unique_ptr<Component> create_classification(const Parameters& parameters, const BuildContext& context) {
  return create<Classification>(parameters, context);
}

}  // namespace blip3u::eval
