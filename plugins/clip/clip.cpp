// clip: an image tower and a text tower trained to agree (CLIP, Radford et al. 2021; SigLIP, Zhai et al. 2023), with a
// reconstruction term that keeps in the features what a decoder needs.
#include <cmath>

#include <fmt/format.h>
#include <torch/torch.h>

#include "blip3u/encoder.h"
#include "blip3u/error.h"
#include "blip3u/module_component.h"
#include "blip3u/plugin.h"
#include "clip/contrastive.h"
#include "clip/image_tower.h"
#include "clip/text_tower.h"
#include "layers/feed_forward.h"
#include "layers/grid_checks.h"
#include "layers/join.h"
#include "layers/patch_transformer.h"
#include "layers/patches.h"
#include "layers/reconstruction.h"

namespace blip3u {
namespace {

constexpr double largest_scale = 100;  // as in CLIP, so that the learned temperature cannot collapse

class Clip : public ModuleComponent<Encoder> {
 public:
  Clip(const Parameters& parameters, const BuildContext& context)
      : layout_(context.wiring.features),
        patch_(layers::patch_side(context.wiring.image_size, layout_.tokens)),
        reconstruction_noise_(parameters.number("reconstruction_noise")),
        weights_(layers::reconstruction_weights(parameters)) {
    if (context.vocabulary <= 0) {
      throw Error("encoder `clip`: its text tower needs the size of the vocabulary; fit a tokenizer first");
    }
    image_ =
        register_module("image", clip::ImageTower(clip::ImageOptions{.image_size = context.wiring.image_size,
                                                                     .grid = layers::grid_side(layout_.tokens),
                                                                     .stem_width = parameters.integer("stem_width"),
                                                                     .width = parameters.integer("width"),
                                                                     .layers = parameters.integer("layers"),
                                                                     .heads = parameters.integer("heads"),
                                                                     .feature_width = layout_.width,
                                                                     .stem = parameters.text("stem"),
                                                                     .positions = parameters.text("positions")},
                                                  context.seed));
    const std::int64_t embedding_width = parameters.integer("embedding_width");
    pooling_ =
        register_module("pooling", clip::ImagePooling(layout_.width, parameters.integer("pooling_width"),
                                                      embedding_width, parameters.text("pooling") == "attention"));
    text_ = register_module("text", clip::TextTower(clip::TextOptions{.vocabulary = context.vocabulary,
                                                                      .length = parameters.integer("text_length"),
                                                                      .width = parameters.integer("text_width"),
                                                                      .layers = parameters.integer("text_layers"),
                                                                      .heads = parameters.integer("text_heads"),
                                                                      .embedding_width = embedding_width},
                                                    context.seed));
    if (parameters.boolean("reconstruction")) add_reconstruction(parameters, context);
    log_scale_ = register_parameter("log_scale", torch::full({1}, std::log(parameters.number("initial_scale"))));
    if (parameters.text("objective") == "siglip") {
      bias_ = register_parameter("bias", torch::full({1}, parameters.number("initial_bias")));
    }
    finish(context);
  }

  Layout layout() const override { return layout_; }
  Visual encode(const Tensor& images) override { return {image_(images), {}}; }
  Tensor embed_image(const Visual& visual) override { return pooling_(visual.x); }
  Tensor embed_text(const TextBatch& texts) override { return text_(texts); }

  /// The limit is kept here and not in the loss, where it would take the gradient away and the scale would never
  /// return.
  void after_step(Generator&) override {
    const torch::NoGradGuard no_grad;
    log_scale_.clamp_max_(std::log(largest_scale));
  }

  std::vector<Loss> loss(const EncoderBatch& batch, Generator& generator) override {
    const Tensor features = image_(batch.images);
    const Tensor logits = log_scale_.exp() * pooling_(features).matmul(text_(batch.captions).t());
    const clip::Pairs pairs = clip::pair_up(batch.captions);
    std::vector<Loss> losses{bias_.defined() ? clip::siglip_loss(logits + bias_, pairs)
                                             : clip::infonce_loss(logits, pairs)};
    if (reconstructs()) {
      losses.push_back(layers::reconstruction_loss(
          reconstruct(layers::disturbed(features, reconstruction_noise_, generator)), batch.images, weights_));
    }
    return losses;
  }

 private:
  /// The head that the term `reconstruction` trains: the deeper it is, the less the features must say in plain form.
  void add_reconstruction(const Parameters& parameters, const BuildContext& context) {
    const std::int64_t width = parameters.integer("reconstruction_width");
    const std::int64_t depth = parameters.integer("reconstruction_layers");
    if (depth == 0) {
      pixels_ = register_module("pixels", layers::FeedForward(layout_.width, width, 3 * patch_ * patch_));
      return;
    }
    painter_ = register_module(
        "pixels",
        layers::PatchTransformer(layers::PatchTransformerOptions{.image_size = context.wiring.image_size,
                                                                 .feature_grid = layers::grid_side(layout_.tokens),
                                                                 .feature_width = layout_.width,
                                                                 .width = width,
                                                                 .layers = depth,
                                                                 .heads = parameters.integer("reconstruction_heads"),
                                                                 .head_width = 4 * width},
                                 derive_seed(context.seed, "reconstruction")));
  }

  bool reconstructs() const { return !pixels_.is_empty() || !painter_.is_empty(); }

  Tensor reconstruct(const Tensor& features) {
    return painter_.is_empty() ? layers::unpatchify(pixels_(features), patch_) : painter_(features);
  }

  Layout layout_;
  std::int64_t patch_;
  double reconstruction_noise_;
  layers::ReconstructionWeights weights_;
  clip::ImageTower image_{nullptr};
  clip::ImagePooling pooling_{nullptr};
  clip::TextTower text_{nullptr};
  layers::FeedForward pixels_{nullptr};
  layers::PatchTransformer painter_{nullptr};
  Tensor log_scale_, bias_;
};

constexpr const char* stems[] = {"patch", "conv", "both"};
constexpr const char* poolings[] = {"mean", "attention"};
constexpr const char* objectives[] = {"siglip", "infonce"};

constexpr ParameterSpec own_parameters[] = {
    integer("grid", 8, 1, 256, "tokens along each side of the image; there are grid x grid"),
    text("stem", "both", "what makes tokens of pixels: a Linear on each patch, strided convolutions, or their sum",
         stems),
    integer("stem_width", 24, 1, 8192, "channels of the first convolution; each further one has twice as many"),
    text("positions", "random", layers::positions_documentation, layers::position_starts),
    integer("width", 96, 8, 8192, "width of the image transformer"),
    integer("layers", 2, 0, 100, "blocks of the image transformer"),
    integer("heads", 4, 1, 256, "attention heads of the image transformer"),
    integer("feature_width", 32, 2, 8192, "numbers in each feature token"),
    integer("embedding_width", 64, 2, 8192, "numbers in an embedding of an image or text"),
    text("pooling", "attention", "how the features of an image become one embedding", poolings),
    integer("pooling_width", 128, 2, 8192, "hidden width of the pooling"),
    integer("text_width", 64, 8, 8192, "width of the text transformer"),
    integer("text_layers", 1, 0, 100, "blocks of the text transformer"),
    integer("text_heads", 4, 1, 256, "attention heads of the text transformer"),
    integer("text_length", 32, 1, 4096, "tokens of a text that are read; the rest is cut"),
    text("objective", "siglip", "siglip: each pair is a yes-or-no question; infonce: each image chooses its text",
         objectives),
    number("initial_scale", 10, 0.01, largest_scale, "factor on the cosine similarity that training starts from"),
    number("initial_bias", -3, -100, 100, "what siglip adds to the scaled similarity at the start"),
    boolean("reconstruction", true, "whether a small head also learns to restore the pixels from the features"),
    integer("reconstruction_width", 256, 8, 8192, "width of that head"),
    integer("reconstruction_layers", 0, 0, 100, "transformer blocks of that head; 0: an MLP on each token"),
    integer("reconstruction_heads", 4, 1, 256, "attention heads of that head, if it has blocks"),
    number("reconstruction_noise", 0.1, 0, 10,
           "largest deviation of the noise between features and that head, which keeps the features robust"),
};

constexpr auto parameters = layers::join(own_parameters, layers::reconstruction_parameters);

void check(const Parameters& values, Wiring& wiring) {
  const std::int64_t grid = values.integer("grid");
  layers::check_grid(grid, "grid", wiring);
  if (values.text("stem") != "patch" && grid == wiring.image_size) {
    wiring.reject("stem",
                  "strided convolutions cannot make tokens of single pixels; set stem: patch, or choose a "
                  "smaller grid");
  }
  layers::check_heads(values.integer("width"), values.integer("heads"), "heads", wiring);
  layers::check_heads(values.integer("text_width"), values.integer("text_heads"), "text_heads", wiring);
  if (values.boolean("reconstruction") && values.integer("reconstruction_layers") > 0) {
    layers::check_heads(values.integer("reconstruction_width"), values.integer("reconstruction_heads"),
                        "reconstruction_heads", wiring);
  }
  wiring.features = {};
  wiring.features.tokens = grid * grid;
  wiring.features.width = values.integer("feature_width");
}

constexpr const char* provides[] = {"features", "text_embedding"};
constexpr const char* losses[] = {"contrastive", "reconstruction"};

constexpr ComponentDescriptor components[] = {
    {.kind = Kind::encoder,
     .name = "clip",
     .summary = "Image and text towers trained contrastively (Radford et al. 2021; Zhai et al. 2023), with features "
                "for generation.",
     .provides = provides,
     .parameters = parameters,
     .losses = losses,
     .check = check,
     .create = create<Clip>},
};

}  // namespace
}  // namespace blip3u

BLIP3U_PLUGIN("clip", "0.1.0", "Apache-2.0", blip3u::components)
