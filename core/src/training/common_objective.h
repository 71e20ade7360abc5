// What the objectives of all stages share: their samples, noise by purpose and step, and the weights of losses.
#pragma once

#include <string>

#include "model/pictures.h"
#include "training/objectives.h"

namespace blip3u {

class CommonObjective : public StageObjective {
 public:
  CommonObjective(const Stage& stage, std::uint64_t seed, Pipeline& pipeline)
      : stage_(stage), seed_(seed), pipeline_(pipeline) {}

  void after_step(std::int64_t step) override;

 protected:
  std::uint64_t step_seed(std::int64_t step, const char* purpose) const {
    return derive_seed(derive_seed(seed_, purpose), static_cast<std::uint64_t>(step));
  }
  Generator noise(std::int64_t step, std::int64_t first, std::int64_t count) const {
    return Generator::for_rows(step_seed(step, "noise"), first, count);
  }
  Tensor images(const std::vector<Tensor>& pictures) const {
    return square_pictures(pictures, pipeline_.recipe().wiring.image_size, pipeline_.device());
  }

  /// A loss that the part in a role returned, as `prefix` and its own name, with the recipe's weight times `factor`.
  /// Throws Error(Fault::plugin) if the part's descriptor does not declare it.
  Term term(Loss loss, const std::string& role, const std::string& prefix = {}, double factor = 1) const;

  const Stage stage_;
  const std::uint64_t seed_;
  Pipeline& pipeline_;
};

}  // namespace blip3u
