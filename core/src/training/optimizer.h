// AdamW (Loshchilov & Hutter 2019) over LibTorch's fused kernel, with state that can be saved, and the schedule.
#pragma once

#include <vector>

#include "blip3u/tensor.h"
#include "recipe/recipe.h"

namespace blip3u {

/// Whether weight decay applies. It is meant for the matrices of linear and convolution layers (two or more
/// dimensions); tables of learned vectors do not decay, since a row is no map and many rows get no gradient. A table is
/// told by its name: the last word of the weight's own name, or of its layer's where the weight is a layer's
/// two-dimensional `weight`, is `embedding`, `positions`, `queries` or `table`.
BLIP3U_API bool decays(const NamedTensor& weight);

/// The learning rate of a step: a linear rise over the warm-up, then a cosine to final_learning_rate.
BLIP3U_API double learning_rate_at(const Stage& stage, std::int64_t step);

class BLIP3U_API Optimizer {
 public:
  /// Updates `weights` in place; those that decay by `decays`. The moving average, if the stage keeps one, warms up as
  /// min(decay, (1 + step) / (10 + step)), as in TensorFlow's ExponentialMovingAverage.
  Optimizer(std::vector<NamedTensor> weights, const Stage& stage);

  /// One step from the gradients that are there; returns their norm before clipping. Clears the gradients. A weight
  /// without a gradient stays as it is, and its count of steps, from which Adam's bias is corrected, does too. If the
  /// norm is not finite, nothing is changed, nor are the gradients cleared.
  double step(std::int64_t step_index);

  /// What a checkpoint needs to go on as if nothing had happened: weights, moments, counts of steps and averages.
  std::vector<NamedTensor> saved_tensors() const;

  /// Puts the moving averages in the weights' place, if the stage keeps them. Call once, at the end.
  void use_averages();

 private:
  struct Entry {
    NamedTensor weight;
    Tensor moment1, moment2;
    Tensor steps;    ///< float32 whatever the weight's type: counts exactly to 2^24
    Tensor average;  ///< undefined if the stage keeps none
    bool decays;
  };
  void update(bool decayed, double learning_rate);

  Stage stage_;
  std::vector<Entry> entries_;
};

}  // namespace blip3u
