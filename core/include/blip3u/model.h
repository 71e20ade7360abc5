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

  enum class Ability { classify, answer, generate, reconstruct };
  /// An empty string if the model has the ability, else why not ("encoder `vae` provides no text_embedding").
  virtual std::string missing_for(Ability) const = 0;

  /// Similarities [B, captions] of image and text embeddings (cosine).
  virtual Tensor classify(const Tensor& images, const std::vector<std::string>& captions) = 0;

  /// One reply for each request, in their order, whatever else is asked at the same time (to rounding). Pictures depend
  /// on their request's seed alone. A request that does not fit is an Error(Fault::usage) that names it.
  virtual std::vector<Reply> respond(std::span<const Request> requests, const Events& events) = 0;

  /// Greedy answers; questions[i] is about images[i].
  virtual std::vector<std::string> answer(const Tensor& images, const std::vector<std::string>& questions) = 0;

  /// Image i is made from prompts[i] and seeds[i] alone, whatever the batch. report(done, total) counts images; empty
  /// to stay silent.
  virtual Tensor generate(const std::vector<std::string>& prompts, const std::vector<std::uint64_t>& seeds,
                          const std::function<void(std::int64_t done, std::int64_t total)>& report) = 0;

  /// Images through encoder and decoder; seeds as in generate.
  virtual Tensor reconstruct(const Tensor& images, const std::vector<std::uint64_t>& seeds) = 0;
};

}  // namespace blip3u
