// guidance edit: text and source picture guided apart (InstructPix2Pix, Brooks et al. 2023, arXiv:2211.09800,
// equation 3).
#include <ATen/ATen.h>

#include "layers/guidance.h"

namespace blip3u {
namespace {

class Edit final : public Guidance {
 public:
  Edit(const Parameters& parameters, const BuildContext&)
      : text_(parameters.number("text_scale")),
        image_(parameters.number("image_scale")),
        from_(parameters.number("from")),
        to_(parameters.number("to")) {}

  std::vector<Context> contexts() const override {
    if (text_ == 1 && image_ == 1) return {Context::whole};
    return {Context::whole, Context::no_text, Context::nothing};
  }

  Tensor combine(const Combination& given) override {
    const Tensor whole = given.predictions[0];
    if (given.predictions.size(0) == 1) return whole;
    const Tensor image = given.predictions[1], nothing = given.predictions[2];
    const Tensor guided = nothing + image_ * (image - nothing) + text_ * (whole - image);
    return whole + layers::inside(guided - whole, given.time, from_, to_);
  }

 private:
  double text_, image_, from_, to_;
};

constexpr ParameterSpec parameters[] = {
    inference(number("text_scale", 7.5, 0.0, 100.0, "how far to follow the instruction; 1: as it was learned")),
    inference(number("image_scale", 1.5, 0.0, 100.0, "how far to keep to the source picture; 1: as it was learned")),
    layers::interval_from,
    layers::interval_to,
};

constexpr ComponentDescriptor components[] = {
    {.kind = Kind::guidance,
     .name = "edit",
     .summary = "Guides by the text and by the source picture apart, in three contexts (Brooks et al. 2023).",
     .parameters = parameters,
     .check = layers::check_interval,
     .create = create<Edit>}};

}  // namespace
}  // namespace blip3u

BLIP3U_PLUGIN("edit", "0.1.0", "Apache-2.0", blip3u::components)
