// What the checks of denoisers share.
#pragma once

#include <memory>
#include <span>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "blip3u/denoiser.h"
#include "kinds.h"
#include "partners.h"

namespace blip3u::conformance {

inline Denoiser& denoiser(Component& component) { return dynamic_cast<Denoiser&>(component); }

inline bool all_finite(const Tensor& tensor) { return tensor.isfinite().all().item<bool>(); }

/// Embeds that a session reads before a picture: [rows,T,C].
Tensor context_embeds(const Subject& subject, std::uint64_t seed);

/// Prepares and predicts with what else the component is given: what the link before made, where the wiring has one,
/// and a source picture, where it refuses to do without.
class Painter {
 public:
  explicit Painter(const Subject& subject);

  const Layout& layout() const { return layout_; }
  bool codes() const { return layout_.codebook > 0; }

  std::unique_ptr<Condition> prepare(Denoiser& denoiser, Session& session, std::span<const double> times = {}) const;

  /// Tokens, time and context -> the prediction.
  Tensor predict(Denoiser& denoiser, const Tensor& tokens, const Tensor& time, const Tensor& context) const;
  Tensor predict(Denoiser& denoiser, const Tensor& tokens, const Tensor& time, const Condition& condition) const {
    return denoiser.predict({.noised = as_visual(layout_, tokens), .time = time, .condition = condition});
  }

 private:
  Layout layout_, previous_;
  at::Device device_;
  std::uint64_t seed_;
  bool needs_source_ = false;
};

/// A disturbed denoiser with a context and tokens. Without gradients.
class Painted {
 public:
  explicit Painted(const Subject& subject);

  Denoiser& denoiser() const { return conformance::denoiser(*component_); }
  std::unique_ptr<Condition> prepare(Session& session) const { return painter.prepare(denoiser(), session); }
  Tensor predict(const Tensor& shown, const Condition& condition) const {
    return painter.predict(denoiser(), shown.clone(), time.clone(), condition);
  }

  const Painter painter;
  const Tensor context, tokens, time;

 private:
  const at::NoGradGuard no_gradient_;
  std::unique_ptr<Component> component_;
};

std::string given_pictures(const Subject& subject);
void times_ahead(const Subject& subject);          // of features
std::string codes_before(const Subject& subject);  // of codes

// Of a component with the mixin.
void nulls(const Subject& subject);
void keeps(const Subject& subject);
std::string streams(const Subject& subject);

}  // namespace blip3u::conformance
