// pixels: patches of the image as they are. The encoder and decoder have no weights and lose nothing, which makes
// them the baseline of generation without learned features.
#include <torch/torch.h>

#include <fmt/format.h>

#include "blip3u/decoder.h"
#include "blip3u/encoder.h"
#include "blip3u/plugin.h"
#include "layers/grid_checks.h"
#include "layers/patches.h"

namespace blip3u {
namespace {

Layout pixel_layout(std::int64_t grid, std::int64_t image_size) {
  const std::int64_t patch = image_size / grid;
  Layout layout;
  layout.tokens = grid * grid;
  layout.width = 3 * patch * patch;
  return layout;
}

class PixelsEncoder : public Encoder {
 public:
  PixelsEncoder(const Parameters&, const BuildContext& context)
      : layout_(context.wiring.features),
        patch_(layers::patch_side(context.wiring.image_size, context.wiring.features.tokens)) {}

  Layout layout() const override { return layout_; }
  Visual encode(const Tensor& images) override { return {layers::patchify(images, patch_), {}}; }

 private:
  Layout layout_;
  std::int64_t patch_;
};

class PixelsDecoder : public Decoder {
 public:
  PixelsDecoder(const Parameters&, const BuildContext& context)
      : patch_(layers::patch_side(context.wiring.image_size, context.wiring.features.tokens)) {}

  Tensor decode(const DecodeTask& task) override { return layers::unpatchify(task.visual.x, patch_).clamp(-1, 1); }

 private:
  std::int64_t patch_;
};

constexpr ParameterSpec encoder_parameters[] = {
    integer("grid", 8, 1, 256, "patches along each side; there are grid x grid tokens"),
};

constexpr ParameterSpec decoder_parameters[] = {
    layers::tokens_parameter,
};

void check_encoder(const Parameters& parameters, Wiring& wiring) {
  const std::int64_t grid = parameters.integer("grid");
  layers::check_grid(grid, "grid", wiring);
  wiring.features = pixel_layout(grid, wiring.image_size);
}

void check_decoder(const Parameters& parameters, Wiring& wiring) {
  const std::int64_t grid = layers::check_decoder(parameters.integer("tokens"), wiring);
  if (grid == 0) return;
  const Layout wanted = pixel_layout(grid, wiring.image_size);
  if (wiring.features.width == wanted.width) return;
  wiring.reject("",
                fmt::format("it takes {} numbers a token (patches of {} x {} pixels), but the encoder "
                            "makes {}; use it with the encoder `pixels`, or choose another decoder",
                            wanted.width, wiring.image_size / grid, wiring.image_size / grid, wiring.features.width));
}

constexpr const char* features[] = {"features"};
constexpr const char* images[] = {"images"};

constexpr ComponentDescriptor components[] = {
    {.kind = Kind::encoder,
     .name = "pixels",
     .summary = "Patches of the image as they are; no weights.",
     .provides = features,
     .parameters = encoder_parameters,
     .check = check_encoder,
     .create = create<PixelsEncoder>},
    {.kind = Kind::decoder,
     .name = "pixels",
     .summary = "Puts patches back together; no weights, exact inverse of the encoder `pixels`.",
     .provides = images,
     .needs = features,
     .parameters = decoder_parameters,
     .check = check_decoder,
     .create = create<PixelsDecoder>},
};

}  // namespace
}  // namespace blip3u

BLIP3U_PLUGIN("pixels", "0.1.0", "Apache-2.0", blip3u::components)
