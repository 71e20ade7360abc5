// What the families share: a picture that runs inside the session, and training for a few steps.
#pragma once

#include "blip3u/module_component.h"
#include "layers/time_embedding.h"
#include "plugins_language/support.h"

namespace blip3u::testing {

/// Owns only projections, positions and a head; reaches the transformer through the condition's session.
class InContext : public ModuleComponent<Denoiser> {
 public:
  explicit InContext(const BuildContext& context) : time_(context.wiring.backbone_width) {
    const Layout& features = context.wiring.features;
    const std::int64_t width = context.wiring.backbone_width;
    input_ = register_module("input", torch::nn::Linear(features.width, width));
    register_module("time", time_);
    positions_ =
        register_parameter("positions", learned_table({features.tokens, width}, 0.5, context.seed, "positions"));
    head_ = register_module("head", torch::nn::Linear(width, features.width));
    finish(context);
  }

  std::unique_ptr<Condition> prepare(const Given& given) override {
    return std::make_unique<Condition>(&given.context);
  }

  Tensor predict(const Prediction& asked) override {
    return head_(asked.condition.context->append(image_block(asked.noised.x, asked.time, false)));
  }

  Block image_block(const Tensor& x, const Tensor& time, bool commit) {
    Block block;
    block.embeds = input_(x) + positions_ + time_(time).unsqueeze(1);
    block.group = at::zeros({x.size(1)}, at::kLong);
    block.commit = commit;
    return block;
  }

 protected:
  torch::nn::Linear input_{nullptr}, head_{nullptr};
  layers::TimeEmbedding time_;
  Tensor positions_;
};

struct Progress {
  double before, after;
};

/// Steps of Adam on all weights of `parts`. The loss draws the same noise each time, so that only learning lowers it.
inline Progress train(const std::vector<const Component*>& parts, const std::function<Tensor()>& loss, int steps) {
  std::vector<Tensor> weights;
  for (const Component* part : parts) {
    for (const NamedTensor& weight : part->weights()) weights.push_back(weight.value);
  }
  torch::optim::Adam optimizer(weights, torch::optim::AdamOptions(3e-3));
  const double before = loss().item<double>();
  for (int step = 0; step < steps; ++step) {
    optimizer.zero_grad();
    loss().backward();
    optimizer.step();
  }
  return {before, loss().item<double>()};
}

/// The mean of all terms of a sampler's loss.
inline Tensor picture_loss(Sampler& sampler, Denoiser& denoiser, const Visual& target, const Condition& condition) {
  Generator noise = Generator::for_rows(5, 0, condition.context->batch());
  Tensor result = at::zeros({});
  for (const Loss& loss : losses_of(sampler, denoiser, target, condition, noise)) {
    result = result + loss.sum / loss.count;
  }
  return result;
}

}  // namespace blip3u::testing
