#include "blip3u/module_component.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "blip3u/decoder.h"

namespace blip3u::testing {
namespace {

class Holder final : public ModuleComponent<Decoder> {
 public:
  explicit Holder(const BuildContext& context) {
    register_module("linear", torch::nn::Linear(2, 3));
    register_buffer("counts", at::zeros({4}, at::kLong));
    register_buffer("mean", at::zeros({4}));
    finish(context);
  }
  Tensor decode(const Visual& visual, Generator&) override { return visual.x; }
};

TEST(ModuleComponent, GivesItsTypeToFloatsAlone) {
  const Holder holder({.dtype = at::kDouble});
  for (const NamedTensor& weight : holder.weights()) EXPECT_EQ(weight.value.scalar_type(), at::kDouble) << weight.name;
  ASSERT_EQ(holder.state().size(), 2U);
  EXPECT_EQ(holder.state()[0].value.scalar_type(), at::kLong);
  EXPECT_EQ(holder.state()[1].value.scalar_type(), at::kDouble);
}

}  // namespace
}  // namespace blip3u::testing
