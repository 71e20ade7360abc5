// vae: a convolutional autoencoder with Gaussian latents (Kingma and Welling 2014; Rombach et al. 2022), and its
// decoding half on its own, which also decodes the features of other encoders.
#include <torch/torch.h>

#include "blip3u/decoder.h"
#include "blip3u/encoder.h"
#include "blip3u/module_component.h"
#include "blip3u/plugin.h"
#include "layers/grid_checks.h"
#include "layers/join.h"
#include "layers/patches.h"
#include "layers/reconstruction.h"
#include "vae/network.h"

namespace blip3u {
namespace {

class Vae : public ModuleComponent<Encoder> {
 public:
  Vae(const Parameters& parameters, const BuildContext& context)
      : layout_(context.wiring.features),
        kl_weight_(parameters.number("kl")),
        weights_(layers::reconstruction_weights(parameters)) {
    const auto plan =
        vae::channel_plan(parameters.integer("width"), context.wiring.image_size, layers::grid_side(layout_.tokens));
    const std::int64_t blocks = parameters.integer("blocks");
    encoder_ = register_module("encoder", vae::encoder_network(plan, blocks, 2 * layout_.width));
    decoder_ = register_module("decoder", vae::decoder_network(plan, blocks, layout_.width));
    finish(context);
  }

  Layout layout() const override { return layout_; }

  Visual encode(const Tensor& images) override {
    return {layers::map_to_tokens(encoder_->forward(images).chunk(2, 1)[0]), {}};
  }

  std::vector<Loss> loss(const EncoderBatch& batch, Generator& generator) override {
    const auto moments = encoder_->forward(batch.images).chunk(2, 1);
    const Tensor& mean = moments[0];
    const Tensor log_variance = moments[1].clamp(-20, 10);  // keeps exp finite while training settles
    const Tensor noise = generator.normal({mean.size(1), mean.size(2), mean.size(3)}, mean.device());
    const Tensor latent = mean + (0.5 * log_variance).exp() * noise;
    const Tensor divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum();
    return {layers::reconstruction_loss(decoder_->forward(latent), batch.images, weights_),
            {"kl", kl_weight_ * divergence, layers::scalar_like(static_cast<double>(mean.numel()), mean)}};
  }

 private:
  Layout layout_;
  double kl_weight_;
  layers::ReconstructionWeights weights_;
  torch::nn::Sequential encoder_{nullptr}, decoder_{nullptr};
};

class VaeDecoder : public ModuleComponent<Decoder> {
 public:
  VaeDecoder(const Parameters& parameters, const BuildContext& context)
      : feature_noise_(parameters.number("feature_noise")), weights_(layers::reconstruction_weights(parameters)) {
    const Layout& features = context.wiring.features;
    const auto plan =
        vae::channel_plan(parameters.integer("width"), context.wiring.image_size, layers::grid_side(features.tokens));
    network_ = register_module("network", vae::decoder_network(plan, parameters.integer("blocks"), features.width));
    finish(context);
  }

  Tensor decode(const DecodeTask& task) override {
    return network_->forward(layers::tokens_to_map(task.visual.x)).clamp(-1, 1);
  }

  std::vector<Loss> loss(const DecoderBatch& batch) override {
    const Tensor features = layers::disturbed(batch.visual.x, feature_noise_, batch.noise);
    return {layers::reconstruction_loss(network_->forward(layers::tokens_to_map(features)), batch.images, weights_)};
  }

 private:
  double feature_noise_;
  layers::ReconstructionWeights weights_;
  torch::nn::Sequential network_{nullptr};
};

constexpr ParameterSpec width = integer("width", 96, 16, 4096, "channels at the grid; halved at each doubling");
constexpr ParameterSpec blocks = integer("blocks", 1, 0, 16, "residual blocks at each resolution");
constexpr ParameterSpec own_encoder_parameters[] = {
    integer("grid", 8, 1, 256, "latents along each side; there are grid x grid tokens"),
    integer("latent_width", 8, 1, 4096, "numbers in each latent token"),
    width,
    blocks,
    number("kl", 1e-3, 0, 100, "weight of the divergence from a standard normal, in nats a latent number"),
};

constexpr ParameterSpec own_decoder_parameters[] = {
    layers::tokens_parameter,
    width,
    blocks,
    layers::feature_noise_parameter,
};

constexpr auto encoder_parameters = layers::join(own_encoder_parameters, layers::reconstruction_parameters);
constexpr auto decoder_parameters = layers::join(own_decoder_parameters, layers::reconstruction_parameters);

void check_encoder(const Parameters& parameters, Wiring& wiring) {
  const std::int64_t grid = parameters.integer("grid");
  if (layers::check_grid(grid, "grid", wiring)) layers::check_halvings(grid, "grid", wiring);
  wiring.features = {};
  wiring.features.tokens = grid * grid;
  wiring.features.width = parameters.integer("latent_width");
}

void check_decoder(const Parameters& parameters, Wiring& wiring) {
  const std::int64_t grid = layers::check_decoder(parameters.integer("tokens"), wiring);
  if (grid != 0) layers::check_halvings(grid, "", wiring);
}

constexpr const char* features[] = {"features"};
constexpr const char* images[] = {"images"};
constexpr const char* encoder_losses[] = {"reconstruction", "kl"};
constexpr const char* decoder_losses[] = {"reconstruction"};

constexpr ComponentDescriptor components[] = {
    {.kind = Kind::encoder,
     .name = "vae",
     .summary = "Latents of a convolutional autoencoder with a normal prior (Kingma 2014; Rombach 2022).",
     .provides = features,
     .parameters = encoder_parameters,
     .losses = encoder_losses,
     .check = check_encoder,
     .create = create<Vae>},
    {.kind = Kind::decoder,
     .name = "vae",
     .summary = "Convolutions from a square grid of features to pixels.",
     .provides = images,
     .needs = features,
     .parameters = decoder_parameters,
     .losses = decoder_losses,
     .check = check_decoder,
     .create = create<VaeDecoder>},
};

}  // namespace
}  // namespace blip3u

BLIP3U_PLUGIN("vae", "0.1.0", "Apache-2.0", blip3u::components)
