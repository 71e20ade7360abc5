// Mean and deviation of features that come in batches.
#pragma once

#include <cstdint>
#include <vector>

#include "blip3u/export.h"
#include "blip3u/tensor.h"

namespace blip3u {

/// Of each of D features over all rows so far, in float64 on the CPU, merged batch by batch without cancellation
/// (Chan, Golub and LeVeque 1983). Used by one thread.
class BLIP3U_API RunningMoments {
 public:
  explicit RunningMoments(std::int64_t width);

  /// Floating-point rows [..., D] on any device. Throws Error if one is not finite or the width is another.
  void add(const Tensor& rows);

  /// What another has seen, as if it had been added here.
  void add(const RunningMoments& other);

  std::int64_t count() const { return count_; }
  const Tensor& mean() const { return mean_; }  ///< [D] float64; zeros before the first row
  Tensor deviation() const;                     ///< [D] float64, over count; ones before the first row

  /// "count" [1] int64, "mean" and "squares" [D] float64, copied; and back. Throws Error if they do not fit.
  std::vector<NamedTensor> state() const;
  void restore(const std::vector<NamedTensor>& state);

 private:
  void merge(std::int64_t count, const Tensor& mean, const Tensor& squares);

  std::int64_t count_ = 0;
  Tensor mean_;
  Tensor squares_;  // summed squares of the distances from the mean
};

}  // namespace blip3u
