// The ceiling of generation: what is left of real images after encoder and decoder.
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ATen/TensorOperators.h>

#include "blip3u/plugin.h"
#include "blip3u/random.h"
#include "blip3u/task.h"
#include "components.h"
#include "eval/shapes.h"
#include "eval/statistics.h"
#include "shape_judge.h"
#include "training/training_data.h"

namespace blip3u::eval {

namespace {

class Reconstruction final : public Task {
 public:
  Reconstruction(const Parameters& parameters, const BuildContext&)
      : protocol_(shape_protocol(parameters.text("scorer"))),
        most_images_(parameters.integer("images")),
        shown_(parameters.integer("shown")) {}

  Model::Ability needs() const override { return Model::Ability::reconstruct; }

  std::string missing_for(const Dataset& dataset) const override {
    if (dataset.size(Split::test) > 0) return {};
    return "the data set has no test images; set some apart, or take the task out of the recipe";
  }

  TaskResult evaluate(const TaskContext& context) override {
    const auto& dataset = context.dataset;
    auto truths = test_truths(dataset);
    std::vector<std::int64_t> indices;
    indices.reserve(truths.size());
    for (const auto& truth : truths) indices.push_back(truth.index);
    if (truths.empty()) {  // pictures of something else: only the pixels can be compared
      for (std::int64_t index = 0; index < dataset.size(Split::test); ++index) indices.push_back(index);
    }
    if (most_images_ > 0 && std::cmp_greater(indices.size(), most_images_)) {
      indices.resize(static_cast<std::size_t>(most_images_));
      if (!truths.empty()) truths.resize(indices.size());
    }

    const auto seed = derive_seed(context.seed, "reconstruction");
    ShapeTally tally;
    std::vector<double> errors;
    TaskResult result;
    in_pieces(
        static_cast<std::int64_t>(indices.size()), 128, context.progress, [&](std::int64_t first, std::int64_t last) {
          const std::vector<std::int64_t> piece(indices.begin() + first, indices.begin() + last);
          std::vector<std::uint64_t> seeds;
          for (auto i = first; i < last; ++i) seeds.push_back(derive_seed(seed, static_cast<std::uint64_t>(i)));
          const Tensor images = load_images(dataset, Split::test, piece, at::kCPU);
          const Tensor made = context.model.reconstruct(images, seeds);
          // Half, because pixels lie in [-1,1] and the error is given as a share of the full range.
          const Tensor distances = (made - images).abs().flatten(1).mean(1).div(2).to(at::kDouble).contiguous();
          for (auto i = first; i < last; ++i) {
            const auto place = static_cast<std::size_t>(i);
            errors.push_back(distances.const_data_ptr<double>()[i - first]);
            ItemRecord item{.id = dataset.example(Split::test, indices[place]).id,
                            .input = "the image",
                            .output = {},
                            .expected = dataset.example(Split::test, indices[place]).caption,
                            .score = -errors.back()};
            bool right = true;
            if (!truths.empty()) {
              const auto reading = read_shape(made[i - first], protocol_);
              right = tally.add(reading, truths[place].shape);
              item.output = to_text(reading);
              item.score = right ? 1.0 : 0.0;
            }
            result.items.push_back(std::move(item));
            if (i < shown_) {
              const auto& id = result.items.back().id;
              result.images.push_back({.image = images[i - first], .label = "real " + id, .good = true});
              result.images.push_back({.image = made[i - first].clone(), .label = "decoded " + id, .good = right});
            }
          }
        });
    if (!truths.empty()) {
      result.scores = tally.scores("reconstruction", protocol_name(protocol_));
      result.scores.push_back(scorer_reference("reconstruction/scorer_on_real", dataset, truths, protocol_));
    }
    std::vector<std::int64_t> clusters(errors.size());
    for (std::size_t i = 0; i < clusters.size(); ++i) clusters[i] = static_cast<std::int64_t>(i);
    auto error = mean_score("reconstruction/absolute_error", "mean_absolute_error@1", errors, clusters);
    error.interval = "student";  // each image is its own cluster
    error.higher_is_better = false;
    result.scores.push_back(std::move(error));
    return result;
  }

 private:
  ShapeProtocol protocol_;
  std::int64_t most_images_, shown_;
};

}  // namespace

std::unique_ptr<Component> create_reconstruction(const Parameters& parameters, const BuildContext& context) {
  return create<Reconstruction>(parameters, context);
}

}  // namespace blip3u::eval
