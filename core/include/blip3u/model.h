// The whole model as tasks see it.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "blip3u/random.h"
#include "blip3u/request.h"
#include "blip3u/tensor.h"

namespace blip3u {

/// What a pipeline can do. Images are [B,3,S,S] float32 in [-1,1] on the CPU, coming and going, whatever the device.
/// Each call runs without gradients and in batches of its own choosing. A missing part or capability is an
/// Error(Fault::usage) that names it; `can` tells beforehand.
class BLIP3U_API Model {
 public:
  Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  virtual ~Model();

  /// `answer` and `choose` read and write text, `generate` makes pictures, `converse` replies with text, pictures or
  /// both as the model itself chooses; these are asked by respond() and log_likelihood().
  enum class Ability { classify, answer, choose, generate, reconstruct, converse };
  /// An empty string if the model has the ability, else why not ("encoder `vae` provides no text_embedding").
  virtual std::string missing_for(Ability) const = 0;

  /// Similarities [B, captions] of image and text embeddings (cosine), float32 on the CPU.
  virtual Tensor classify(const Tensor& images, const std::vector<std::string>& captions) = 0;

  /// The embeddings behind classify(), [B,E] float32 of unit length on the CPU.
  virtual Tensor embed_images(const Tensor& images) = 0;
  virtual Tensor embed_texts(const std::vector<std::string>& texts) = 0;

  /// One reply for each request, in their order, whatever else is asked at the same time (to rounding). Pictures depend
  /// on their request's seed alone. A request that does not fit is an Error(Fault::usage) that names it.
  virtual std::vector<Reply> respond(std::span<const Request> requests, const Events& events) = 0;

  /// The natural logarithm of the probability that the reply to requests[i] is replies[i] and ends there.
  virtual std::vector<double> log_likelihood(std::span<const Request> requests,
                                             const std::vector<std::string>& replies) = 0;

  /// Images through encoder and decoder; image i depends on images[i] and seeds[i] alone.
  virtual Tensor reconstruct(const Tensor& images, const std::vector<std::uint64_t>& seeds) = 0;
};

}  // namespace blip3u
