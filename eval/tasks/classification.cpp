// Zero-shot classification: which class caption is most like the image?
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ATen/ops/argmax.h>

#include "blip3u/plugin.h"
#include "blip3u/task.h"
#include "components.h"
#include "eval/shapes.h"
#include "eval/statistics.h"
#include "shape_judge.h"
#include "training/training_data.h"

namespace blip3u::eval {

namespace {

constexpr const char* protocol = "top1@1";

/// A test image whose caption is that of a class; of the others the class is unknown.
struct Labelled {
  std::int64_t index;
  std::size_t truth;  ///< in the classes
};

std::vector<Labelled> labelled_images(const Dataset& dataset, const std::vector<std::string>& classes) {
  std::vector<Labelled> images;
  for (std::int64_t index = 0; index < dataset.size(Split::test); ++index) {
    const auto found = std::ranges::find(classes, dataset.example(Split::test, index).caption);
    if (found != classes.end()) images.push_back({index, static_cast<std::size_t>(found - classes.begin())});
  }
  return images;
}

class Classification final : public Task {
 public:
  Classification(const Parameters&, const BuildContext&) {}

  Model::Ability needs() const override { return Model::Ability::classify; }

  std::string missing_for(const Dataset& dataset) const override {
    const auto classes = dataset.classes();
    if (classes.empty()) return "the data set has no classes; take the task out of the recipe";
    if (!labelled_images(dataset, classes).empty()) return {};
    return "no test image is captioned by one of the data set's classes; caption some so, or take the task out of the "
           "recipe";
  }

  TaskResult evaluate(const TaskContext& context) override {
    const auto& dataset = context.dataset;
    const auto classes = dataset.classes();
    const auto images = labelled_images(dataset, classes);
    const auto count = static_cast<std::int64_t>(images.size());
    std::vector<std::int64_t> frequency(classes.size(), 0);
    for (const auto& image : images) ++frequency[image.truth];
    std::vector<ColouredShape> shapes;  // of the classes, if all name one
    for (const auto& caption : classes) {
      if (const auto shape = parse_coloured_shape(caption)) shapes.push_back(*shape);
    }
    ShapeTally tally;
    std::int64_t right = 0;
    TaskResult result;
    in_pieces(count, 256, context.progress, [&](std::int64_t first, std::int64_t last) {
      std::vector<std::int64_t> indices;
      for (auto i = first; i < last; ++i) indices.push_back(images[static_cast<std::size_t>(i)].index);
      const Tensor guesses = context.model.classify(load_images(dataset, Split::test, indices, at::kCPU), classes)
                                 .argmax(1)
                                 .to(at::kCPU, at::kLong)
                                 .contiguous();
      for (auto i = first; i < last; ++i) {
        const auto& [index, truth] = images[static_cast<std::size_t>(i)];
        const auto guess = static_cast<std::size_t>(guesses.const_data_ptr<std::int64_t>()[i - first]);
        if (guess == truth) ++right;
        if (shapes.size() == classes.size()) tally.add({.found = shapes[guess], .reason = {}}, shapes[truth]);
        result.items.push_back({.id = dataset.example(Split::test, index).id,
                                .input = "one of the class captions",
                                .output = classes[guess],
                                .expected = classes[truth],
                                .score = guess == truth ? 1.0 : 0.0});
      }
    });
    result.scores.push_back(share_score("classification", protocol, right, count));
    if (!tally.empty()) {
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
