// sampler flow_matching: straight-line flow from noise to features.
#include "blip3u/plugin.h"
#include "blip3u/sampler.h"
#include "layers/flow.h"
#include "layers/sampling.h"

namespace blip3u {
namespace {

class FlowMatching : public Sampler, public Objective {
 public:
  FlowMatching(const Parameters& parameters, const BuildContext& context)
      : options_(layers::flow_options(parameters, context.wiring.features.tokens * context.wiring.features.width)),
        device_(context.device) {
    // As the solver of another's model it follows what that was trained for.
    if (const std::string& trained = context.wiring.objective; !trained.empty()) {
      options_.predicts_data = trained == data_objective;
    }
  }

  double order() const override { return options_.solver == layers::FlowSolver::euler ? 1 : 2; }
  std::vector<double> times() const override { return layers::flow_times(options_); }

  std::vector<Loss> loss(const LossTask& task) override {
    return {layers::flow_loss(
        "flow",
        [&](const Tensor& x, const Tensor& time) {
          return task.denoiser.predict(
              {.noised = {x, {}}, .time = time, .condition = task.condition, .noise = &task.noise});
        },
        task.target.x, task.noise, options_)};
  }

  Made sample(const SampleTask& task) override {
    const Tensor noise = task.noise.normal({task.layout.tokens, task.layout.width}, device_);
    return {.visual = {layers::solve_flow(
                           [&](const Tensor& x, double time, std::int64_t step) {
                             return guided_prediction(task, {x, {}}, time, step);
                           },
                           noise, options_, task.watch),
                       {}}};
  }

  static constexpr const char* velocity_objective = "velocity/linear";
  static constexpr const char* data_objective = "data/linear";

 private:
  layers::FlowOptions options_;
  at::Device device_;
};

void check(const Parameters& parameters, Wiring& wiring) {
  layers::check_continuous(wiring);
  const bool data = parameters.text("prediction") == "data";
  layers::check_objective(data ? FlowMatching::data_objective : FlowMatching::velocity_objective,
                          "velocity/linear data/linear", wiring);
}

constexpr const char* provides[] = {"sample"};
constexpr const char* needs[] = {"predict"};
constexpr const char* losses[] = {"flow"};

constexpr ComponentDescriptor components[] = {
    {.kind = Kind::sampler,
     .name = "flow_matching",
     .summary = "Learns the velocity from noise to features on straight lines and follows it (Lipman et al. 2023).",
     .provides = provides,
     .needs = needs,
     .parameters = layers::flow_parameters,
     .losses = losses,
     .check = check,
     .create = create<FlowMatching>}};

}  // namespace
}  // namespace blip3u

BLIP3U_PLUGIN("flow_matching", "0.1.0", "Apache-2.0", blip3u::components)
