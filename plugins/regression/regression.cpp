// sampler regression: one deterministic prediction, trained by the mean squared error.
#include "blip3u/plugin.h"
#include "blip3u/sampler.h"
#include "layers/loss.h"
#include "layers/sampling.h"

namespace blip3u {
namespace {

class Regression : public Sampler {
 public:
  Regression(const Parameters&, const BuildContext& context) : device_(context.device) {}

  std::vector<Loss> loss(Denoiser& denoiser, const Visual& target, const Condition& condition, Generator&) override {
    return {layers::squared_error("regression", predict(denoiser, at::zeros_like(target.x), condition), target.x)};
  }

  Visual sample(Denoiser& denoiser, const Layout& layout, const std::vector<Condition>& conditions,
                Generator& generator, const Progress& progress) override {
    const Tensor nothing =
        at::zeros({generator.rows(), layout.tokens, layout.width}, at::TensorOptions(device_).dtype(at::kFloat));
    Visual result{predict(denoiser, nothing, conditions.at(0)), {}};
    if (progress) progress(1, 1);
    return result;
  }

 private:
  /// A denoiser at time 1 is told that its input holds no information.
  static Tensor predict(Denoiser& denoiser, const Tensor& nothing, const Condition& condition) {
    return denoiser.predict({nothing, {}}, at::ones({nothing.size(0)}, nothing.options()), condition);
  }

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
     .check = [](const Parameters&, Wiring& wiring) { layers::check_continuous(wiring); },
     .create = create<Regression>}};

}  // namespace
}  // namespace blip3u

BLIP3U_PLUGIN("regression", "0.1.0", "Apache-2.0", blip3u::components)
