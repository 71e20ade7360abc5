// What the checks of samplers share.
#pragma once

#include <memory>
#include <string>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "blip3u/sampler.h"
#include "kinds.h"
#include "partners.h"

namespace blip3u::conformance {

inline Sampler& sampler(Component& component) { return dynamic_cast<Sampler&>(component); }

/// The training objective of one, if it has its own.
inline Objective& objective(Sampler& sampler) {
  if (auto* const own = dynamic_cast<Objective*>(&sampler)) return *own;
  skip("it has no training objective (mixin Objective)");
}

inline Condition condition(const Tensor& tokens) { return Condition(nullptr, tokens); }

/// Any smooth function of all that a denoiser sees.
inline Tensor smooth(const Tensor& x, const Tensor& time, const Condition& condition) {
  const Tensor plain = 0.3 * x + time.view({-1, 1, 1}) - 0.2;
  return condition.tokens.defined() ? plain + condition.tokens : plain;
}

/// For samplers of features, or of codes.
inline std::unique_ptr<Denoiser> partner(const Layout& layout) {
  if (layout.codebook > 0) return std::make_unique<CodeDenoiser>(layout);
  return std::make_unique<FunctionDenoiser>(smooth);
}

/// Classifier-free guidance with a scale of 3.
class Guided : public Guidance {
 public:
  std::vector<Context> contexts() const override { return {Context::whole, Context::nothing}; }
  Tensor combine(const Combination& given) override { return 3 * given.predictions[0] - 2 * given.predictions[1]; }
};

/// What it makes under contexts of `noise.rows()` rows each.
inline Made sampled(Sampler& sampler, Denoiser& denoiser, const Layout& layout, const Condition& condition,
                    Generator& noise, std::int64_t contexts = 1, Guidance* guidance = nullptr,
                    const Watch& watch = {}) {
  return sampler.sample({.denoiser = denoiser,
                         .layout = layout,
                         .condition = condition,
                         .noise = noise,
                         .rows = noise.rows(),
                         .contexts = contexts,
                         .guidance = guidance,
                         .watch = watch});
}

/// Features or codes.
inline const Tensor& tokens_of(const Visual& visual) { return visual.codes.defined() ? visual.codes : visual.x; }

// Against closed forms: of features.
std::string order_of_convergence(const Subject& subject);
std::string loss_minimum(const Subject& subject);

}  // namespace blip3u::conformance
