// The components of a recipe, put together, and what they can do as one model.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "blip3u/backbone.h"
#include "blip3u/decoder.h"
#include "blip3u/encoder.h"
#include "blip3u/host.h"
#include "blip3u/model.h"
#include "blip3u/tokenizer.h"
#include "pipeline/links.h"
#include "recipe/recipe.h"

namespace blip3u {

class BLIP3U_API Pipeline final : public Model {
 public:
  /// Roles, such as encoder.
  using Parts = std::set<std::string, std::less<>>;

  /// Those that an ability runs, whether the recipe names them or not.
  static Parts parts_for(const PipelineChoices& choices, Ability ability);

  /// Builds the parts that the recipe names, or those of `parts` among them, with initial weights drawn from the
  /// recipe's seed.
  Pipeline(const Recipe& recipe, std::shared_ptr<Tokenizer> tokenizer, at::Device device,
           const std::optional<Parts>& parts = std::nullopt);
  ~Pipeline() override;

  /// The component in a role, or null.
  Component* part(std::string_view role) const;

  // Each throws Error(Fault::usage) if the recipe has none.
  Encoder& encoder() const;  ///< the first that the backbone reads with
  Backbone& backbone() const;
  Decoder& decoder() const;
  Encoder& decoded() const;  ///< whose features the decoder decodes

  const std::vector<Link>& links() const { return links_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  at::Device device() const { return device_; }
  const Recipe& recipe() const { return recipe_; }

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
  Encoder& embedder() const;
  template <class Contract>
  void build(const std::string& role, const std::optional<Parts>& parts, const Peers& peers);

  Recipe recipe_;
  at::Device device_;
  std::vector<std::unique_ptr<Host>> hosts_;  // of the parts, which they outlive
  std::shared_ptr<Tokenizer> tokenizer_;
  std::vector<std::pair<std::string, std::unique_ptr<Component>>> parts_;  // by role, in the order they are built
  std::vector<Link> links_;
};

}  // namespace blip3u
