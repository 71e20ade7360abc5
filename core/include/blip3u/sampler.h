// sampler: a training objective and the solver that goes with it. They are always a pair.
#pragma once

#include <functional>
#include <vector>

#include "blip3u/denoiser.h"
#include "blip3u/random.h"

namespace blip3u {

/// Called after each step of a solver.
using Progress = std::function<void(std::int64_t done, std::int64_t total)>;

class BLIP3U_API Sampler : public Component {
 public:
  ~Sampler() override;

  /// The share of prompts that training replaces by the empty prompt, so that guidance has something to start from.
  virtual double condition_dropout() const { return 0.0; }

  /// Order of convergence of its solver in the size of a step, where the velocity is smooth; 0: it states none.
  virtual double order() const { return 0.0; }

  /// The training objective. target.x [B,N,D] float with about unit variance, or target.codes; one generator row for
  /// each row of the batch.
  virtual std::vector<Loss> loss(Denoiser&, const Visual& target, const Condition&, Generator&) = 0;

  /// Makes one Visual for each row. conditions[0] is the prompt's; guidance, if the sampler has any, mixes it with
  /// conditions[1], the empty prompt's. With one condition there is no guidance.
  virtual Visual sample(Denoiser&, const Layout&, const std::vector<Condition>& conditions, Generator&,
                        const Progress&) = 0;
};

}  // namespace blip3u
