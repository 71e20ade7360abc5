// guidance cfg: classifier-free guidance (Ho & Salimans 2022, arXiv:2207.12598), with an interval (Kynkäänniemi et al.
// 2024, arXiv:2404.07724) and rescaling (Lin et al. 2024, arXiv:2305.08891).
#include <ATen/ATen.h>

#include "layers/guidance.h"

namespace blip3u {
namespace {

/// Gives each row of `guided` the spread that `whole` has, as far as `share` says: large scales widen it, which makes
/// pictures too bright (equations 15 and 16).
Tensor rescaled(const Tensor& guided, const Tensor& whole, double share) {
  static constexpr double smallest = 1e-8;
  const auto spread = [](const Tensor& x) {
    return layers::per_row(x.flatten(1).std(1, /*unbiased=*/false), x) + smallest;
  };
  const Tensor factor = spread(whole) / spread(guided);
  return guided * (share * factor + (1 - share));
}

class Cfg final : public Guidance {
 public:
  Cfg(const Parameters& parameters, const BuildContext&)
      : scale_(parameters.number("scale")),
        from_(parameters.number("from")),
        to_(parameters.number("to")),
        rescale_(parameters.number("rescale")),
        negative_(parameters.boolean("negative")) {}

  std::vector<Context> contexts() const override {
    if (scale_ == 1) return {Context::whole};
    return {Context::whole, negative_ ? Context::negative : Context::nothing};
  }

  Tensor combine(const Combination& given) override {
    const Tensor whole = given.predictions[0];
    if (given.predictions.size(0) == 1) return whole;
    const Tensor change = (scale_ - 1) * (whole - given.predictions[1]);  // nothing + scale (whole - nothing) - whole
    const Tensor guided = whole + layers::inside(change, given.time, from_, to_);
    return rescale_ > 0 ? rescaled(guided, whole, rescale_) : guided;
  }

 private:
  double scale_, from_, to_, rescale_;
  bool negative_;
};

constexpr ParameterSpec parameters[] = {
    inference(number("scale", 3.0, 0.0, 100.0, "how far to move away from what nothing gives; 1: off")),
    layers::interval_from,
    layers::interval_to,
    inference(number("rescale", 0.0, 0.0, 1.0,
                     "share by which the spread of the unguided prediction is restored (Lin et al. 2024); 0: off")),
    inference(boolean("negative", false, "move away from the negative prompt instead of from nothing")),
};

constexpr ComponentDescriptor components[] = {
    {.kind = Kind::guidance,
     .name = "cfg",
     .summary = "Classifier-free guidance (Ho & Salimans 2022), with an interval of times and rescaling.",
     .parameters = parameters,
     .check = layers::check_interval,
     .create = create<Cfg>}};

}  // namespace
}  // namespace blip3u

BLIP3U_PLUGIN("cfg", "0.1.0", "Apache-2.0", blip3u::components)
