// The components of a recipe, put together, and what they can do as one model.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "blip3u/backbone.h"
#include "blip3u/decoder.h"
#include "blip3u/denoiser.h"
#include "blip3u/encoder.h"
#include "blip3u/guidance.h"
#include "blip3u/host.h"
#include "blip3u/model.h"
#include "blip3u/sampler.h"
#include "blip3u/tokenizer.h"
#include "recipe/recipe.h"

namespace blip3u {

/// Per-channel mean and deviation of the generation target. The samplers work on (x - mean) / deviation, so that every
/// encoder's features meet the noise at the same scale. Saved with every stage that learns pictures. Identity until
/// set.
struct FeatureScale {
  Tensor mean, deviation;  ///< [D]

  std::vector<NamedTensor> tensors() const { return {{"mean", mean}, {"deviation", deviation}}; }
};

class BLIP3U_API Pipeline final : public Model {
 public:
  /// Roles, such as encoder.
  using Parts = std::set<std::string, std::less<>>;

  /// Those that an ability runs.
  static Parts parts_for(Ability ability);

  /// Builds the parts that the recipe names, or those of `parts` among them, with initial weights drawn from the
  /// recipe's seed.
  Pipeline(const Recipe& recipe, std::unique_ptr<Tokenizer> tokenizer, at::Device device,
           const std::optional<Parts>& parts = std::nullopt);
  ~Pipeline() override;

  // Each throws Error(Fault::usage) if the recipe has none.
  Encoder& encoder() const;
  Backbone& backbone() const;
  Denoiser& denoiser() const;
  Sampler& sampler() const;
  Sampler& solver() const;  ///< what makes pictures: the recipe's solver, or the sampler that trained
  Decoder& decoder() const;
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  at::Device device() const { return device_; }
  const Recipe& recipe() const { return recipe_; }
  FeatureScale& feature_scale() { return feature_scale_; }

  /// The component in a role (encoder, backbone, denoiser, sampler, solver, guidance, decoder), or null.
  Component* part(std::string_view role) const;

  /// What guidance wants to be told; the whole conversation first.
  std::vector<Context> contexts() const;

  /// Makes one picture for each seed from a session of contexts.size() * seeds.size() rows, all rows of the first
  /// context, then all of the second. In the target's own scale. Throws Cancelled where the watch says to stop.
  /// `sources` are the pictures in the contexts (Given::sources).
  Visual paint(Session& session, const std::vector<Context>& contexts, std::span<const Visual> sources,
               const std::vector<std::uint64_t>& seeds, const Watch& watch);

  /// What a sampler made, in the target's own scale, and back.
  Visual unscaled(Visual made) const;
  Visual scaled(Visual visual) const;

  /// Pixels [B,3,S,S] on the CPU.
  Tensor decode(const Visual& made, const std::vector<std::uint64_t>& seeds, const Watch& watch);

  std::string missing_for(Ability) const override;
  std::vector<Reply> respond(std::span<const Request> requests, const Events& events) override;
  Tensor classify(const Tensor& images, const std::vector<std::string>& captions) override;
  Tensor embed_images(const Tensor& images) override;
  Tensor embed_texts(const std::vector<std::string>& texts) override;
  std::vector<double> log_likelihood(std::span<const Request> requests,
                                     const std::vector<std::string>& replies) override;
  Tensor reconstruct(const Tensor& images, const std::vector<std::uint64_t>& seeds) override;

 private:
  void require(Ability) const;
  std::string untrained(const Parts& roles) const;

  Recipe recipe_;
  at::Device device_;
  std::vector<std::unique_ptr<Host>> hosts_;  // of the parts, which they outlive
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<Encoder> encoder_;
  std::unique_ptr<Backbone> backbone_;
  std::unique_ptr<Denoiser> denoiser_;
  std::unique_ptr<Sampler> sampler_, solver_;
  std::unique_ptr<Guidance> guidance_;
  std::unique_ptr<Decoder> decoder_;
  FeatureScale feature_scale_;
};

}  // namespace blip3u
