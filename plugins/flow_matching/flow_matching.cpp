// sampler flow_matching: straight-line flow from noise to features, with classifier-free guidance.
#include "blip3u/plugin.h"
#include "blip3u/sampler.h"
#include "layers/flow.h"
#include "layers/guidance.h"
#include "layers/join.h"
#include "layers/sampling.h"

namespace blip3u {
namespace {

class FlowMatching : public Sampler {
 public:
  FlowMatching(const Parameters& parameters, const BuildContext& context)
      : options_(layers::flow_options(parameters)),
        guidance_(parameters.number("guidance")),
        condition_dropout_(parameters.number("condition_dropout")),
        device_(context.device) {}

  double condition_dropout() const override { return condition_dropout_; }
  double order() const override { return options_.solver == layers::FlowSolver::euler ? 1 : 2; }

  std::vector<Loss> loss(Denoiser& denoiser, const Visual& target, const Condition& condition,
                         Generator& generator) override {
    return {layers::flow_loss(
        "flow",
        [&](const Tensor& x, const Tensor& time) {
          return denoiser.predict({x, {}}, time, condition);
        },
        target.x, generator, options_)};
  }

  Visual sample(Denoiser& denoiser, const Layout& layout, const std::vector<Condition>& conditions,
                Generator& generator, const Progress& progress) override {
    return {layers::integrate_flow(
                [&](const Tensor& x, const Tensor& time) {
                  return layers::guided_prediction(denoiser, x, time, conditions, guidance_);
                },
                generator.normal({layout.tokens, layout.width}, device_), options_, progress),
            {}};
  }

 private:
  layers::FlowOptions options_;
  double guidance_, condition_dropout_;
  at::Device device_;
};

void check(const Parameters& parameters, Wiring& wiring) {
  layers::check_continuous(wiring);
  layers::check_guidance(parameters, wiring);
}

constexpr const char* provides[] = {"sample"};
constexpr const char* needs[] = {"predict"};
constexpr auto parameters = layers::join(layers::flow_parameters, layers::guidance_parameters);
constexpr const char* losses[] = {"flow"};

constexpr ComponentDescriptor components[] = {
    {.kind = Kind::sampler,
     .name = "flow_matching",
     .summary = "Learns the velocity from noise to features on straight lines and follows it (Lipman et al. 2023).",
     .provides = provides,
     .needs = needs,
     .parameters = parameters,
     .losses = losses,
     .check = check,
     .create = create<FlowMatching>}};

}  // namespace
}  // namespace blip3u

BLIP3U_PLUGIN("flow_matching", "0.1.0", "Apache-2.0", blip3u::components)
