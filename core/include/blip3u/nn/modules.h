// Modules whose weights do not exist before they are known: made without memory, then drawn or taken from a folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include "blip3u/export.h"
#include "blip3u/tensor.h"

namespace blip3u::nn {

/// How a weight is drawn that no folder gives; ModuleComponent says more.
enum class Draw {
  glorot,  ///< of matrices: uniform with the variance of Glorot & Bengio (2010)
  fan_in,  ///< of convolutions: uniform in +-1/sqrt(inputs of one output)
  table,   ///< of embeddings: normal with deviation 0.02
  ones,
  zeros,
};

/// A module whose declared weights stand on the meta device (a shape without memory) until fill() puts tensors in their
/// place. Whoever copies a handle before that keeps the shape alone.
class BLIP3U_API Deferred : public torch::nn::Module {
 public:
  struct Slot {
    std::string name;
    Tensor* tensor;  ///< the module's own member
    Draw draw;
  };

  Deferred() = default;
  Deferred(const Deferred&) = delete;
  Deferred& operator=(const Deferred&) = delete;

  const std::vector<Slot>& slots() const { return slots_; }

  /// Puts `value` itself in the slot's place, of the slot's shape, on any device, of any dtype. No copy is made.
  void fill(const Slot& slot, const Tensor& value);

 protected:
  void declare(Tensor& member, std::string name, at::IntArrayRef shape, Draw draw);

 private:
  std::vector<Slot> slots_;
};

/// x [..., in] -> [..., out].
class BLIP3U_API LinearImpl final : public Deferred {
 public:
  LinearImpl(std::int64_t in, std::int64_t out, bool with_bias = true);
  Tensor forward(const Tensor& x) const;

  Tensor weight;  ///< [out, in]
  Tensor bias;    ///< [out], or undefined
};
TORCH_MODULE(Linear);

/// x [B, in, H, W] -> [B, out, H', W'], square kernels.
class BLIP3U_API Conv2dImpl final : public Deferred {
 public:
  Conv2dImpl(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride = 1, std::int64_t padding = 0,
             bool with_bias = true);
  Tensor forward(const Tensor& x) const;

  Tensor weight;  ///< [out, in, kernel, kernel]
  Tensor bias;    ///< [out], or undefined

 private:
  std::int64_t stride_, padding_;
};
TORCH_MODULE(Conv2d);

/// ids, int64 of any shape [...] in [0, rows) -> [..., width].
class BLIP3U_API EmbeddingImpl final : public Deferred {
 public:
  EmbeddingImpl(std::int64_t rows, std::int64_t width);
  Tensor forward(const Tensor& ids) const;

  Tensor weight;  ///< [rows, width]
};
TORCH_MODULE(Embedding);

/// x [..., width] over its root mean square (Zhang & Sennrich 2019, arXiv 1910.07467).
class BLIP3U_API RMSNormImpl final : public Deferred {
 public:
  explicit RMSNormImpl(std::int64_t width, double epsilon = 1e-6);
  Tensor forward(const Tensor& x) const;

  Tensor weight;  ///< [width]

 private:
  double epsilon_;
};
TORCH_MODULE(RMSNorm);

/// x [..., width] to mean 0 and variance 1 (Ba et al. 2016, arXiv 1607.06450), then scaled and shifted.
class BLIP3U_API LayerNormImpl final : public Deferred {
 public:
  explicit LayerNormImpl(std::int64_t width, double epsilon = 1e-5);
  Tensor forward(const Tensor& x) const;

  Tensor weight, bias;  ///< [width]

 private:
  double epsilon_;
};
TORCH_MODULE(LayerNorm);

}  // namespace blip3u::nn
