// AdamW (Loshchilov & Hutter 2019) over LibTorch's fused kernel, with state that can be saved, and the schedule.
#pragma once

#include <vector>

#include "blip3u/tensor.h"
#include "recipe/recipe.h"

namespace blip3u {

/// The learning rate of a step: a linear rise over the warm-up, then a cosine to final_learning_rate.
BLIP3U_API double learning_rate_at(const Stage& stage, std::int64_t step);

class BLIP3U_API Optimizer {
 public:
  /// Updates `weights` in place. Weight decay applies to tensors of two or more dimensions. The moving average, if the
  /// stage keeps one, warms up as min(decay, (1 + step) / (10 + step)), as in TensorFlow's ExponentialMovingAverage.
  Optimizer(std::vector<NamedTensor> weights, const Stage& stage);

  /// One step from the gradients that are there; returns their norm before clipping. Clears the gradients.
  double step(std::int64_t step_index);

  /// What a checkpoint needs to go on as if nothing had happened: weights, moments and averages.
  std::vector<NamedTensor> saved_tensors() const;

  /// Puts the moving averages in the weights' place, if the stage keeps them. Call once, at the end.
  void use_averages();

 private:
  struct Group {
    std::vector<Tensor> weights, moments1, moments2;
    double weight_decay;
  };
  std::vector<Tensor> all_weights() const;

  Stage stage_;
  std::vector<NamedTensor> named_;
  std::vector<Group> groups_;
  std::vector<Tensor> averages_;
};

}  // namespace blip3u
