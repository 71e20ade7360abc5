// sampler regression: one deterministic prediction, trained by the mean squared error.
#include "blip3u/plugin.h"
#include "blip3u/sampler.h"
#include "layers/loss.h"
#include "layers/sampling.h"

namespace blip3u {
namespace {

class Regression : public Sampler, public Objective {
 public:
  Regression(const Parameters&, const BuildContext& context) : device_(context.device) {}

  // A denoiser at time 1 is told that its input holds no information.
  std::vector<double> times() const override { return {1.0}; }

  std::vector<Loss> loss(const LossTask& task) override {
    const Tensor nothing = at::zeros_like(task.target.x);
    const Tensor prediction = task.denoiser.predict({.noised = {nothing, {}},
                                                     .time = at::ones({nothing.size(0)}, nothing.options()),
                                                     .condition = task.condition,
                                                     .noise = &task.noise});
    return {layers::squared_error("regression", prediction, task.target.x)};
  }

  Made sample(const SampleTask& task) override {
    const Tensor nothing =
        at::zeros({task.rows, task.layout.tokens, task.layout.width}, at::TensorOptions(device_).dtype(at::kFloat));
    Made made{.visual = {guided_prediction(task, {nothing, {}}, 1.0, 0), {}}};
    report(task.watch, {.done = 1, .total = 1, .guess = &made.visual});
    return made;
  }

 private:
  at::Device device_;
};

constexpr const char* provides[] = {"sample"};
constexpr const char* needs[] = {"predict"};
constexpr const char* losses[] = {"regression"};

constexpr ComponentDescriptor components[] = {
    {.kind = Kind::sampler,
     .name = "regression",
     .summary = "Predicts the features at once under the mean squared error; the same image for every seed.",
     .provides = provides,
     .needs = needs,
     .losses = losses,
     .check =
         [](const Parameters&, Wiring& wiring) {
           layers::check_continuous(wiring);
           layers::check_objective("data/none", "data/none", wiring);
         },
     .create = create<Regression>}};

}  // namespace
}  // namespace blip3u

BLIP3U_PLUGIN("regression", "0.1.0", "Apache-2.0", blip3u::components)
