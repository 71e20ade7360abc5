// What the objectives of all stages share: their samples, and noise by purpose and step.
#pragma once

#include "model/pictures.h"
#include "training/objectives.h"

namespace blip3u {

class CommonObjective : public StageObjective {
 public:
  CommonObjective(const Stage& stage, std::uint64_t seed, Pipeline& pipeline)
      : stage_(stage), seed_(seed), pipeline_(pipeline) {}

  void after_step(std::int64_t step) override {
    if (!trains(stage_, "encoder")) return;
    Generator generator = noise(step, "after step");
    pipeline_.encoder().after_step(generator);
  }

 protected:
  std::uint64_t step_seed(std::int64_t step, const char* purpose) const {
    return derive_seed(derive_seed(seed_, purpose), static_cast<std::uint64_t>(step));
  }
  Generator noise(std::int64_t step, const char* purpose = "noise") const {
    return Generator::for_rows(step_seed(step, purpose), 0, stage_.batch);
  }
  Tensor images(const std::vector<Tensor>& pictures) const {
    return square_pictures(pictures, pipeline_.recipe().wiring.image_size, pipeline_.device());
  }

  const Stage stage_;
  const std::uint64_t seed_;
  Pipeline& pipeline_;
};

}  // namespace blip3u
