// What the objectives of all stages share: the order of the data, and noise by purpose and step.
#pragma once

#include <algorithm>

#include "training/objectives.h"

namespace blip3u {

/// What all objectives have.
class CommonObjective : public StageObjective {
 public:
  CommonObjective(const Stage& stage, std::uint64_t seed, Pipeline& pipeline, const Dataset& dataset)
      : stage_(stage), seed_(seed), pipeline_(pipeline), dataset_(dataset) {}

  void after_step(std::int64_t step) override {
    if (std::ranges::find(stage_.train, "encoder") == stage_.train.end()) return;
    Generator generator = noise(step, "after step");
    pipeline_.encoder().after_step(generator);
  }

 protected:
  std::vector<std::int64_t> indices(std::int64_t size, std::int64_t step) {
    return order_.batch(derive_seed(seed_, "order"), size, stage_.batch, step);
  }
  Generator noise(std::int64_t step, const char* purpose = "noise") const {
    return Generator::for_rows(derive_seed(derive_seed(seed_, purpose), static_cast<std::uint64_t>(step)), 0,
                               stage_.batch);
  }
  Tensor images(const std::vector<std::int64_t>& which) const {
    return load_images(dataset_, Split::train, which, pipeline_.device());
  }

  const Stage stage_;
  const std::uint64_t seed_;
  Pipeline& pipeline_;
  const Dataset& dataset_;

 private:
  ShuffledOrder order_;
};

}  // namespace blip3u
