// denoiser mlp: a residual network over all features at once, without attention. The baseline of `dit`.
#include "blip3u/denoiser.h"
#include "blip3u/module_component.h"
#include "layers/adaptive.h"
#include "layers/feed_forward.h"
#include "layers/join.h"
#include "layers/queries.h"
#include "layers/time_embedding.h"

namespace blip3u {
namespace {

class ResidualImpl : public torch::nn::Module {
 public:
  ResidualImpl(std::int64_t width, double hidden_ratio)
      : modulation_(register_module("modulation", layers::Modulation(width, width, 3))),
        feed_forward_(register_module(
            "feed_forward",
            layers::FeedForward(width, static_cast<std::int64_t>(hidden_ratio * static_cast<double>(width)), width))) {}

  Tensor forward(const Tensor& x, const Tensor& condition) {
    const auto parts = modulation_(condition);
    return x + parts[2] * feed_forward_(layers::modulated_norm(x, parts[0], parts[1]));
  }

 private:
  layers::Modulation modulation_;
  layers::FeedForward feed_forward_;
};
TORCH_MODULE(Residual);

class Mlp : public ModuleComponent<Denoiser> {
 public:
  Mlp(const Parameters& parameters, const BuildContext& context)
      : queries_(parameters, context, parameters.integer("condition_width")), time_(parameters.integer("width")) {
    const std::int64_t width = parameters.integer("width");
    const std::int64_t numbers = context.wiring.features.tokens * context.wiring.features.width;
    register_module("queries", queries_);
    register_module("time", time_);
    condition_ = register_module(
        "condition", torch::nn::Linear(parameters.integer("queries") * parameters.integer("condition_width"), width));
    input_ = register_module("input", torch::nn::Linear(numbers, width));
    torch::nn::ModuleList list;
    for (std::int64_t i = 0; i < parameters.integer("layers"); ++i) {
      blocks_.emplace_back(width, parameters.number("hidden_ratio"));
      list->push_back(blocks_.back());
    }
    register_module("blocks", list);
    output_ = register_module("output", layers::AdaptiveOutput(width, width, numbers));
    finish(context);
    layers::zero_adaptive(*this);
  }

  std::unique_ptr<Condition> prepare(const Given& given) override {
    return std::make_unique<Condition>(&given.context, queries_(given.context));
  }

  Tensor predict(const Prediction& asked) override {
    const Tensor& noised = asked.noised.x;
    const Tensor steering = time_(asked.time) + condition_(asked.condition.tokens.flatten(1));
    // One token, so that the layers of transformers serve.
    Tensor x = input_(noised.flatten(1).to(steering.scalar_type())).unsqueeze(1);
    for (auto& block : blocks_) x = block(x, steering);
    return output_(x, steering).reshape(noised.sizes()).to(at::kFloat);
  }

 private:
  layers::Queries queries_;
  layers::TimeEmbedding time_;
  torch::nn::Linear condition_{nullptr}, input_{nullptr};
  std::vector<Residual> blocks_;
  layers::AdaptiveOutput output_{nullptr};
};

constexpr const char* provides[] = {"predict"};
constexpr const char* needs[] = {"session"};
constexpr ParameterSpec own_parameters[] = {
    integer("width", 512, 1, 65536, "width of the residual network"),
    integer("layers", 4, 1, 1024, "residual blocks"),
    number("hidden_ratio", 2.0, 0.25, 64.0, "hidden width of a block as a multiple of width"),
    integer("condition_width", 128, 1, 65536, "width of the condition's tokens"),
};
constexpr auto parameters = layers::join(own_parameters, layers::query_parameters);

constexpr ComponentDescriptor components[] = {
    {.kind = Kind::denoiser,
     .name = "mlp",
     .summary = "Residual adaptive-norm network over the flattened features, conditioned through learnable queries.",
     .provides = provides,
     .needs = needs,
     .parameters = parameters,
     .check = [](const Parameters&, Wiring& wiring) { layers::check_queries(wiring); },
     .create = create<Mlp>}};

}  // namespace
}  // namespace blip3u

BLIP3U_PLUGIN("mlp", "0.1.0", "Apache-2.0", blip3u::components)
