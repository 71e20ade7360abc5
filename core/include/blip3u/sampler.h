// sampler: a solver that makes images with a denoiser and, mostly, the training objective that goes with it.
#pragma once

#include <vector>

#include "blip3u/denoiser.h"
#include "blip3u/guidance.h"
#include "blip3u/random.h"
#include "blip3u/watch.h"

namespace blip3u {

/// What a solver is given to make one Visual for each of `rows` rows. References are valid for the call.
struct SampleTask {
  Denoiser& denoiser;
  const Layout& layout;        ///< of what is to be made
  const Condition& condition;  ///< of contexts * rows rows: all rows of the first context, then all of the second, ...
  Generator& noise;            ///< of `rows` rows
  std::int64_t rows = 1;
  std::int64_t contexts = 1;
  Guidance* guidance = nullptr;  ///< makes one prediction of those under all contexts; null only with one context
  Watch watch = {};
};

/// What sampling returns.
struct Made {
  Visual visual;                  ///< x [rows,N,D] float32, or codes
  Tensor log_probabilities = {};  ///< [rows,T] float32 of what was drawn in T steps, for reinforcement; or undefined
};

/// Solves what `Wiring::objective` says that the denoiser was trained for. One that has no training objective of its
/// own (mixin Objective) can drive any model whose sampler has the right one: `pipeline.solver`. Its `check` compares:
/// wiring.objective is empty where it stands alone, so that there is nothing to solve. Steps, shift and all else that
/// only sampling reads are parameters marked `inference`.
class BLIP3U_API Sampler : public Component {
 public:
  ~Sampler() override;

  /// Order of convergence of its solver in the size of a step, where the velocity is smooth; 0: it states none.
  virtual double order() const { return 0.0; }

  /// The times for which it will ask, in this order, for denoisers that compute ahead; empty: not known.
  virtual std::vector<double> times() const { return {}; }

  /// Runs without gradients. Tells the watch after every step and throws Cancelled where that says to stop. Row i
  /// depends on row i of the noise and of each context alone.
  virtual Made sample(const SampleTask&) = 0;
};

/// One batch of a training objective.
struct LossTask {
  Denoiser& denoiser;
  const Visual& target;        ///< x [B,N,D] float32 with about unit variance, or codes
  const Condition& condition;  ///< of B rows, some of which may stand for nothing: the stage's `dropout`
  Generator& noise;            ///< of B rows
};

/// Mixin of Sampler: trains the denoiser that it drives. Its `check` sets Wiring::objective to what the denoiser then
/// predicts and on which path from data to noise ("velocity/linear", "data/linear", "noise/cosine"), unless it is set:
/// then it stands as the solver of that objective, compares, and is asked for no loss.
class BLIP3U_API Objective {
 public:
  virtual ~Objective();
  /// float32, differentiable by the denoiser's predictions.
  virtual std::vector<Loss> loss(const LossTask&) = 0;
};

/// The denoiser's prediction for `noised` (of `rows` rows) at one time: asked once under all contexts, then combined by
/// the guidance. [rows,...] float32. `step` is the index in Sampler::times() that the core told the denoiser, or -1.
BLIP3U_API Tensor guided_prediction(const SampleTask& task, const Visual& noised, double time, std::int64_t step = -1);

/// Scores of a stream of task.condition, combined as above: [rows,n,...]. What is chosen is pushed to every context by
/// push_to_all.
BLIP3U_API Tensor guided_scores(const SampleTask& task, Stream& stream);
BLIP3U_API void push_to_all(const SampleTask& task, Stream& stream, const Tensor& chosen);

}  // namespace blip3u
