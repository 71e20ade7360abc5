// Explicit randomness. Every draw names its generator; nothing uses a global one.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "blip3u/export.h"
#include "blip3u/tensor.h"

namespace blip3u {

/// Derives a new seed from a seed and a name or a number (splitmix64 over the bytes; stable across platforms).
BLIP3U_API std::uint64_t derive_seed(std::uint64_t seed, std::string_view name);
BLIP3U_API std::uint64_t derive_seed(std::uint64_t seed, std::uint64_t number);

/// One independent stream of random numbers for each row of a batch, so that what a sample gets does not depend on
/// how many others share its batch. All draws happen on the CPU in float32 and are then moved, so that a CPU and a
/// GPU start from the same noise. A stream is Philox4x32-10 (Salmon et al. 2011) under the row's seed, all 64 bits of
/// which count; normal numbers are made of it by Box & Muller's transform. Not safe for use from several threads at
/// once.
class BLIP3U_API Generator {
 public:
  explicit Generator(const std::vector<std::uint64_t>& row_seeds);

  /// Row i gets the seed derive_seed(seed, first + i).
  static Generator for_rows(std::uint64_t seed, std::int64_t first, std::int64_t count);

  std::int64_t rows() const { return static_cast<std::int64_t>(streams_.size()); }

  /// Standard normal and uniform [0, 1) numbers, float32, shape [rows, row_shape...].
  Tensor normal(at::IntArrayRef row_shape, at::Device device);
  Tensor uniform(at::IntArrayRef row_shape, at::Device device);

 private:
  struct Stream {
    std::uint64_t seed, next_block;
  };
  template <class Convert>
  static void fill(Stream& stream, float* values, std::int64_t count, Convert convert);
  std::vector<Stream> streams_;
};

/// The numbers 0 to count - 1 in an order that depends on nothing but the seed.
BLIP3U_API std::vector<std::int64_t> shuffled(std::int64_t count, std::uint64_t seed);

}  // namespace blip3u
