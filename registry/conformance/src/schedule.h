// How a sampler mixes data and noise, found out from its loss, and what the best denoiser would then predict. With
// both, a solver can be compared with the exact result.
#pragma once

#include <string>

#include "blip3u/sampler.h"
#include "partners.h"

namespace blip3u::conformance {

/// The data of the kit: each number is one of two modes at equal odds, mean +- centre, each of this deviation. (Not a
/// Gaussian: on one, some solvers converge faster than their order.)
namespace modes {
inline constexpr double mean = 0.5, centre = 1.5, deviation = 0.5;
Tensor draw(const Layout& layout, std::int64_t rows, std::uint64_t seed, at::Device device);
}  // namespace modes

/// What is left of the data and what there is of noise at a time: noised = signal * data + noise * (standard normal).
struct Mixture {
  Tensor signal, noise;  ///< [B,1,1] float64
};

class Schedule {
 public:
  /// Learns it from the inputs that `loss` gives a denoiser for known data. Throws Skipped if it follows none of the
  /// known rules (noise = 1 - signal, noise = sqrt(1 - signal^2), or neither data nor noise).
  Schedule(Objective& sampler, const Layout& layout, at::Device device);

  Mixture at(const Tensor& time) const;

  /// Whether time 0 has more of the data than time 1.
  bool forward() const;

  /// The share of noised data at this mixture that lies below x. A flow along the probabilities keeps it.
  static Tensor share_below(const Tensor& x, const Mixture& mixture);

 private:
  enum class Rule { straight, complement, preserving, blind };
  Rule rule_ = Rule::blind;
  Tensor times_, signals_;  // sorted, float64
};

/// What denoisers are asked for.
struct Parametrisation {
  const char* name;
  Tensor (*from)(const Tensor& data, const Tensor& noise, const Mixture& mixture);
};

/// The best predictions for the kit's data.
class Oracle {
 public:
  /// Takes the parametrisation with which the sampler's loss is lowest.
  Oracle(Objective& sampler, const Layout& layout, at::Device device);

  const Schedule& schedule() const { return schedule_; }
  const char* parametrisation() const { return chosen_->name; }
  Tensor predict(const Tensor& x, const Tensor& time) const;

  /// The sampler's loss of a denoiser, the same draws every time.
  static double loss(Objective& sampler, const Layout& layout, at::Device device,
                     const FunctionDenoiser::Predict& predict);

 private:
  Schedule schedule_;
  const Parametrisation* chosen_ = nullptr;
};

}  // namespace blip3u::conformance
