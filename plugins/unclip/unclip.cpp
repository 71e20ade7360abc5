// unclip: features -> pixels by flow matching over pixel patches, conditioned on the features token by token. It has
// the role of the published system's diffusion decoder (unCLIP, Ramesh et al. 2022, arXiv:2204.06125).
#include <string_view>

#include <fmt/format.h>
#include <torch/torch.h>

#include "blip3u/decoder.h"
#include "blip3u/module_component.h"
#include "blip3u/plugin.h"
#include "layers/flow.h"
#include "layers/grid_checks.h"
#include "layers/join.h"
#include "layers/patches.h"
#include "layers/positions.h"
#include "layers/reconstruction.h"
#include "layers/time_embedding.h"
#include "layers/transformer_stack.h"

namespace blip3u {
namespace {

/// The grid of patches that the flow runs on.
std::int64_t patch_grid(const Parameters& parameters, std::int64_t feature_grid) {
  const std::int64_t grid = parameters.integer("grid");
  return grid == 0 ? feature_grid : grid;
}

class Unclip : public ModuleComponent<Decoder> {
 public:
  Unclip(const Parameters& parameters, const BuildContext& context)
      : flow_(layers::flow_options(parameters, 3 * context.wiring.image_size * context.wiring.image_size)),
        feature_noise_(parameters.number("feature_noise")),
        feature_grid_(layers::grid_side(context.wiring.features.tokens)),
        grid_(patch_grid(parameters, feature_grid_)),
        patch_(layers::patch_side(context.wiring.image_size, grid_ * grid_)) {
    const std::int64_t width = parameters.integer("width"), patch_width = 3 * patch_ * patch_;
    input_ = register_module("input", torch::nn::Linear(patch_width, width));
    features_ = register_module("features", torch::nn::Linear(context.wiring.features.width, width));
    positions_ = register_parameter(
        "positions", layers::token_positions(parameters.text("positions"), grid_ * grid_, width, context.seed));
    time_ = register_module("time", layers::TimeEmbedding(width));
    blocks_ = register_module(
        "blocks",
        layers::TransformerStack(
            parameters.integer("layers"),
            layers::TransformerOptions{.width = width, .heads = parameters.integer("heads"), .adaptive = true}));
    output_ = register_module("output", layers::AdaptiveOutput(width, width, patch_width));
    finish(context);
    layers::zero_adaptive(*this);
  }

  Tensor decode(const DecodeTask& task) override {
    const Tensor given = condition(task.visual.x);
    const Tensor noise = task.noise.normal({grid_ * grid_, 3 * patch_ * patch_}, given.device());
    const auto network = [&](const Tensor& x, double time, std::int64_t) {
      return velocity(x, at::full({x.size(0)}, time, x.options()), given);
    };
    // Its guesses are patches of pixels, which are no Visual.
    const Watch watch = [&](const Step& step) { return !task.watch || task.watch({step.done, step.total}); };
    return layers::unpatchify(layers::solve_flow(network, noise, flow_, watch), patch_).clamp(-1, 1);
  }

  std::vector<Loss> loss(const DecoderBatch& batch) override {
    const Tensor given = condition(layers::disturbed(batch.visual.x, feature_noise_, batch.noise));
    return {layers::flow_loss(
        "flow", [&](const Tensor& x, const Tensor& time) { return velocity(x, time, given); },
        layers::patchify(batch.images, patch_), batch.noise, flow_)};
  }

 private:
  /// What each patch is told of the image, the same at every time: [B,N,W].
  Tensor condition(const Tensor& features) {
    Tensor given = features_(features);
    if (grid_ != feature_grid_) {
      const std::int64_t times = grid_ / feature_grid_;
      given =
          layers::map_to_tokens(layers::tokens_to_map(given).repeat_interleave(times, 2).repeat_interleave(times, 3));
    }
    return given + positions_;
  }

  Tensor velocity(const Tensor& x, const Tensor& time, const Tensor& given) {
    layers::TransformerInputs inputs;
    inputs.condition = time_(time);
    return output_(blocks_(input_(x) + given, inputs), inputs.condition);
  }

  layers::FlowOptions flow_;
  double feature_noise_;
  std::int64_t feature_grid_, grid_, patch_;
  torch::nn::Linear input_{nullptr}, features_{nullptr};
  layers::TimeEmbedding time_{nullptr};
  layers::TransformerStack blocks_{nullptr};
  layers::AdaptiveOutput output_{nullptr};
  Tensor positions_;
};

constexpr ParameterSpec own_parameters[] = {
    layers::tokens_parameter,
    integer("grid", 0, 0, 256, "patches along each side of the image; 0: as many as the features have"),
    integer("width", 128, 8, 8192, "width of the transformer"),
    integer("layers", 4, 1, 100, "blocks of the transformer"),
    integer("heads", 4, 1, 256, "attention heads"),
    text("positions", "sin_cos", layers::positions_documentation, layers::position_starts),
    layers::feature_noise_parameter,
};

/// The flow's parameters. The features leave little to decide, so fewer steps do than for a denoiser.
constexpr auto parameters = [] {
  auto table = layers::join(own_parameters, layers::flow_parameters);
  for (ParameterSpec& parameter : table) {
    if (std::string_view(parameter.name) == "steps") parameter.default_number = 10;
  }
  return table;
}();

void check(const Parameters& values, Wiring& wiring) {
  const std::int64_t feature_grid = layers::check_decoder(values.integer("tokens"), wiring);
  layers::check_heads(values.integer("width"), values.integer("heads"), "heads", wiring);
  if (feature_grid == 0) return;
  const std::int64_t grid = patch_grid(values, feature_grid);
  if (grid % feature_grid != 0) {
    wiring.reject("grid", fmt::format("{0} x {0} patches cannot share {1} x {1} features evenly; choose a multiple of "
                                      "{1}, or 0, which follows the encoder",
                                      grid, feature_grid));
  }
  layers::check_grid(grid, "grid", wiring);
}

constexpr const char* provides[] = {"images"};
constexpr const char* needs[] = {"features"};
constexpr const char* losses[] = {"flow"};

constexpr ComponentDescriptor components[] = {
    {.kind = Kind::decoder,
     .name = "unclip",
     .summary = "Flow matching over pixel patches, conditioned on the features (in the manner of Ramesh et al. 2022).",
     .provides = provides,
     .needs = needs,
     .parameters = parameters,
     .losses = losses,
     .check = check,
     .create = create<Unclip>},
};

}  // namespace
}  // namespace blip3u

BLIP3U_PLUGIN("unclip", "0.1.0", "Apache-2.0", blip3u::components)
