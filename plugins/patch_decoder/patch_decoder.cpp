// patch_decoder: features -> pixels in one step. A transformer over the feature tokens, each of which becomes one
// patch (the decoder of a masked autoencoder, He et al. 2022, arXiv:2111.06377, over all tokens).
#include <torch/torch.h>

#include "blip3u/decoder.h"
#include "blip3u/module_component.h"
#include "blip3u/plugin.h"
#include "layers/convolution.h"
#include "layers/grid_checks.h"
#include "layers/join.h"
#include "layers/patch_transformer.h"
#include "layers/reconstruction.h"

namespace blip3u {
namespace {

class PatchDecoder : public ModuleComponent<Decoder> {
 public:
  PatchDecoder(const Parameters& parameters, const BuildContext& context)
      : feature_noise_(parameters.number("feature_noise")), weights_(layers::reconstruction_weights(parameters)) {
    const Layout& features = context.wiring.features;
    patches_ = register_module(
        "patches",
        layers::PatchTransformer(layers::PatchTransformerOptions{.image_size = context.wiring.image_size,
                                                                 .feature_grid = layers::grid_side(features.tokens),
                                                                 .feature_width = features.width,
                                                                 .width = parameters.integer("width"),
                                                                 .layers = parameters.integer("layers"),
                                                                 .heads = parameters.integer("heads"),
                                                                 .head_width = parameters.integer("head_width"),
                                                                 .split = parameters.integer("split"),
                                                                 .positions = parameters.text("positions")},
                                 context.seed));
    if (const std::int64_t channels = parameters.integer("refine_width"); channels > 0) {
      refine_input_ = register_module("refine_input", layers::convolution(3, channels));
      refine_output_ = register_module("refine_output", layers::convolution(channels, 3));
    }
    finish(context);
    if (!refine_output_.is_empty()) {  // starts as the identity
      const torch::NoGradGuard no_gradient;
      refine_output_->weight.zero_();
    }
  }

  Tensor decode(const DecodeTask& task) override { return pixels(task.visual.x).clamp(-1, 1); }

  std::vector<Loss> loss(const DecoderBatch& batch) override {
    const Tensor features = layers::disturbed(batch.visual.x, feature_noise_, batch.noise);
    return {layers::reconstruction_loss(pixels(features), batch.images, weights_)};
  }

 private:
  Tensor pixels(const Tensor& features) {
    const Tensor image = patches_(features);
    return refine_input_.is_empty() ? image : image + refine_output_(torch::gelu(refine_input_(image)));
  }

  double feature_noise_;
  layers::ReconstructionWeights weights_;
  layers::PatchTransformer patches_{nullptr};
  torch::nn::Conv2d refine_input_{nullptr}, refine_output_{nullptr};
};

constexpr ParameterSpec own_parameters[] = {
    layers::tokens_parameter,
    integer("width", 96, 8, 8192, "width of the transformer"),
    integer("layers", 2, 0, 100, "blocks of the transformer"),
    integer("heads", 4, 1, 256, "attention heads"),
    integer("head_width", 384, 0, 8192, "hidden width of what makes pixels of a token; 0: a single Linear"),
    integer("split", 1, 1, 16, "each feature token becomes split x split patches"),
    text("positions", "sin_cos", layers::positions_documentation, layers::position_starts),
    integer("refine_width", 0, 0, 1024, "channels of two convolutions that smooth the seams of patches; 0: none"),
    layers::feature_noise_parameter,
};
constexpr auto parameters = layers::join(own_parameters, layers::reconstruction_parameters);

void check(const Parameters& values, Wiring& wiring) {
  layers::check_heads(values.integer("width"), values.integer("heads"), "heads", wiring);
  const std::int64_t grid = layers::check_decoder(values.integer("tokens"), wiring);
  if (grid != 0) layers::check_grid(grid * values.integer("split"), "split", wiring);
}

constexpr const char* provides[] = {"images"};
constexpr const char* needs[] = {"features"};
constexpr const char* losses[] = {"reconstruction"};

constexpr ComponentDescriptor components[] = {
    {.kind = Kind::decoder,
     .name = "patch_decoder",
     .summary = "A transformer that turns each feature token into a patch of pixels, in one step.",
     .provides = provides,
     .needs = needs,
     .parameters = parameters,
     .losses = losses,
     .check = check,
     .create = create<PatchDecoder>},
};

}  // namespace
}  // namespace blip3u

BLIP3U_PLUGIN("patch_decoder", "0.1.0", "Apache-2.0", blip3u::components)
