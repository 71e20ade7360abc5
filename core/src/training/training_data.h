// What the stages of a run learn from, in an order that depends on seeds alone.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "blip3u/dataset.h"
#include "blip3u/encoder.h"
#include "blip3u/random.h"
#include "blip3u/visual.h"

namespace blip3u {

/// An endless sequence of shuffled passes over `size` items. Pass p is a permutation drawn from derive_seed(seed, p),
/// so any step can be asked for first. Remembers the latest pass, which is all that its state is for.
class BLIP3U_API ShuffledOrder {
 public:
  /// The positions [step * batch, (step + 1) * batch).
  std::vector<std::int64_t> batch(std::uint64_t seed, std::int64_t size, std::int64_t batch, std::int64_t step);

 private:
  std::uint64_t seed_ = 0;
  std::int64_t pass_ = -1;
  std::vector<std::int64_t> order_;
};

/// Features of every training image, made by a frozen encoder.
class BLIP3U_API FeatureTable {
 public:
  /// Takes the features from the cache folder if they are there under `key`, else computes and stores them. `key` must
  /// name everything that decides them (encoder weights, data).
  FeatureTable(Encoder& encoder, const Dataset& dataset, at::Device device, const std::filesystem::path& cache_folder,
               const std::string& key);

  /// The features of some training images, on the device.
  Visual rows(const std::vector<std::int64_t>& indices) const;
  const Visual& all() const { return features_; }

 private:
  Visual features_;  // on the CPU
  at::Device device_;
};

/// [B,3,S,S] on the device.
BLIP3U_API Tensor load_images(const Dataset& dataset, Split split, const std::vector<std::int64_t>& indices,
                              at::Device device);

}  // namespace blip3u
