// What every component of every kind has.
#pragma once

#include <vector>

#include "blip3u/export.h"
#include "blip3u/tensor.h"
#include "blip3u/visual.h"

namespace blip3u {

class Generator;

/// Base of all contracts. A component is owned by the pipeline that asked its plugin for it, lives on one device, and
/// is used by one thread at a time, but for one case: in a stage that cuts its batches into `parts`, several threads
/// make losses of different rows at once (embed, encode, begin, prepare, predict, loss, and what their sessions do), so
/// that whoever keeps something between such calls must guard it. LearnsBesides and, of what learns, AfterStep and
/// components with a state() are spared that. It reports bad input by throwing blip3u::Error and prints nothing.
class BLIP3U_API Component {
 public:
  Component() = default;
  Component(const Component&) = delete;
  Component& operator=(const Component&) = delete;
  virtual ~Component();

  /// Weights that training may change, named uniquely within the component, in a fixed order. The tensors share
  /// storage with the component: writing to them changes it. Empty for a component without weights.
  virtual std::vector<NamedTensor> weights() const { return {}; }

  /// State that is saved with the weights but not trained (codebook averages, statistics).
  virtual std::vector<NamedTensor> state() const { return {}; }

  /// Switches dropout and the like; components start in inference mode.
  virtual void set_training(bool) {}
};

/// Mixin of backbones and denoisers: learns more than words and its sampler's objective, such as to use all experts
/// alike (Shazeer et al. 2017, arXiv:1701.06538) or to agree with the features of an encoder (Yu et al. 2024,
/// arXiv:2410.06940). Its descriptor's `losses` names all terms, and the recipe weighs them.
class BLIP3U_API LearnsBesides {
 public:
  virtual ~LearnsBesides();

  /// The terms of what it computed with gradients since it was asked last; none if there was nothing. Asked of a
  /// backbone once a step, without a target; of a denoiser after each of its sampler's losses, with that one's target.
  virtual std::vector<Loss> take_losses(const Visual* target) = 0;
};

/// Mixin of backbones, denoisers and decoders: changes something of its own after each step of the optimiser that it
/// learned from.
class BLIP3U_API AfterStep {
 public:
  virtual ~AfterStep();
  virtual void after_step(Generator&) = 0;  ///< with a row for each sample of a batch
};

}  // namespace blip3u
