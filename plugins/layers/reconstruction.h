// What training of encoders and decoders on pixels shares.
#pragma once

#include <cstdint>
#include <numeric>

#include <torch/torch.h>

#include "blip3u/parameters.h"
#include "blip3u/random.h"
#include "blip3u/visual.h"
#include "layers/loss.h"

namespace blip3u::layers {

inline constexpr ParameterSpec reconstruction_parameters[] = {
    number("squared_weight", 2, 0, 1000, "weight of the squared error beside the absolute error in `reconstruction`"),
    number("detail_weight", 8, 0, 1000,
           "how much more squares of 8 x 8 pixels count in `reconstruction` when their pixels vary: the error is "
           "multiplied by 1 + detail_weight * their standard deviation"),
};

struct ReconstructionWeights {
  double squared = 0, detail = 0;
};

inline ReconstructionWeights reconstruction_weights(const Parameters& parameters) {
  return {parameters.number("squared_weight"), parameters.number("detail_weight")};
}

/// How much each pixel counts: [B,1,S,S]. Background is most of a simple picture; without this, edges and small things
/// weigh next to nothing.
inline Tensor detail_map(const Tensor& images, double detail_weight) {
  const std::int64_t cell = std::gcd(std::int64_t{8}, images.size(2)), cells = images.size(2) / cell;
  const Tensor deviation = images.reshape({images.size(0), images.size(1), cells, cell, cells, cell})
                               .std({3, 5}, /*unbiased=*/false)
                               .amax(1, /*keepdim=*/true);
  return (1 + detail_weight * deviation).repeat_interleave(cell, 2).repeat_interleave(cell, 3);
}

/// The loss `reconstruction`: the mean of |error| + squared * error^2 over all pixels and channels, each weighted by
/// the detail around it. The first part keeps edges sharp, the second punishes patches that are entirely wrong.
inline Loss reconstruction_loss(const Tensor& prediction, const Tensor& images, const ReconstructionWeights& weights) {
  Tensor error = (prediction - images).abs();
  if (weights.squared > 0) error = error + weights.squared * error.square();
  if (weights.detail > 0) error = error * detail_map(images, weights.detail);
  return {"reconstruction", error.sum(), scalar_like(static_cast<double>(images.numel()), images)};
}

/// Adds Gaussian noise whose deviation is drawn for each image between 0 and `largest`, so that a decoder learns to
/// read exact features as well as generated ones, which are a little off.
inline Tensor disturbed(const Tensor& features, double largest, Generator& generator) {
  if (largest <= 0) return features;
  const Tensor deviation = largest * generator.uniform({1, 1}, features.device());
  return features + deviation * generator.normal({features.size(1), features.size(2)}, features.device());
}

/// Of every decoder that learns.
inline constexpr ParameterSpec feature_noise_parameter =
    number("feature_noise", 0.15, 0, 10,
           "largest deviation of the noise added to features in training, in the unit of the features");

}  // namespace blip3u::layers
