// The components of a recipe, put together, and what they can do as one model.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "blip3u/backbone.h"
#include "blip3u/decoder.h"
#include "blip3u/denoiser.h"
#include "blip3u/encoder.h"
#include "blip3u/model.h"
#include "blip3u/sampler.h"
#include "blip3u/tokenizer.h"
#include "recipe/recipe.h"

namespace blip3u {

/// Per-channel mean and deviation of the generation target. The samplers work on (x - mean) / deviation, so that every
/// encoder's features meet the noise at the same scale. Saved with the denoiser. Identity until set.
struct FeatureScale {
  Tensor mean, deviation;  ///< [D]
};

class BLIP3U_API Pipeline final : public Model {
 public:
  /// Builds every component that the recipe names, with initial weights drawn from the recipe's seed.
  Pipeline(const Recipe& recipe, std::unique_ptr<Tokenizer> tokenizer, at::Device device);
  ~Pipeline() override;

  // Each throws Error(Fault::usage) if the recipe has none.
  Encoder& encoder() const;
  Backbone& backbone() const;
  Denoiser& denoiser() const;
  Sampler& sampler() const;
  Decoder& decoder() const;
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  at::Device device() const { return device_; }
  const Recipe& recipe() const { return recipe_; }
  FeatureScale& feature_scale() { return feature_scale_; }

  /// The component in a role (encoder, backbone, denoiser, sampler, decoder), or null.
  Component* part(std::string_view role) const;

  /// Everything of a role that a checkpoint holds; with the denoiser goes the feature scale.
  std::vector<NamedTensor> saved_tensors(std::string_view role);

  /// A session that has read the prompts; "" is the empty prompt, which stands for no condition.
  std::unique_ptr<Session> read_prompts(const std::vector<std::string>& prompts);

  /// A session that has seen the features as one block, each row its own picture.
  std::unique_ptr<Session> see(const Visual& features);

  std::string missing_for(Ability) const override;
  Tensor classify(const Tensor& images, const std::vector<std::string>& captions) override;
  std::vector<std::string> answer(const Tensor& images, const std::vector<std::string>& questions) override;
  Tensor generate(const std::vector<std::string>& prompts, const std::vector<std::uint64_t>& seeds,
                  const std::function<void(std::int64_t, std::int64_t)>& report) override;
  Tensor reconstruct(const Tensor& images, const std::vector<std::uint64_t>& seeds) override;

 private:
  void require(Ability) const;
  std::vector<std::string> answer_batch(const Tensor& images, const std::vector<std::string>& questions);
  Tensor generate_batch(const std::vector<std::string>& prompts, const std::vector<std::uint64_t>& seeds);

  Recipe recipe_;
  at::Device device_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<Encoder> encoder_;
  std::unique_ptr<Backbone> backbone_;
  std::unique_ptr<Denoiser> denoiser_;
  std::unique_ptr<Sampler> sampler_;
  std::unique_ptr<Decoder> decoder_;
  FeatureScale feature_scale_;
};

}  // namespace blip3u
