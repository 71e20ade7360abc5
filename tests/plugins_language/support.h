// What the tests of the language and generation plugins share: the real libraries through the registry, and fakes.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "blip3u/backbone.h"
#include "blip3u/denoiser.h"
#include "blip3u/plugin.h"
#include "blip3u/random.h"
#include "blip3u/sampler.h"
#include "components.h"

namespace blip3u::testing {

/// The tensors here are so small that a second thread only costs time.
inline const bool one_thread = (at::set_num_threads(1), true);

/// What a component's check says, one line a problem: "parameter: message".
inline std::string problems(Kind kind, const std::string& name, const Overrides& overrides, Wiring wiring) {
  const ComponentDescriptor& component = descriptor_of(kind, name);
  component.check(parameters_of(component, overrides), wiring);
  std::string result;
  for (const auto& problem : wiring.problems) result += problem.parameter + ": " + problem.message + "\n";
  return result;
}

inline Layout make_layout(std::int64_t tokens, std::int64_t width) {
  Layout layout;
  layout.tokens = tokens;
  layout.width = width;
  return layout;
}

/// 16 image tokens of 6 numbers, 20 words, a backbone of width 32.
inline BuildContext small_context() {
  BuildContext context;
  context.wiring.image_size = 16;
  context.wiring.features = make_layout(16, 6);
  context.wiring.backbone_width = 32;
  context.vocabulary = 20;
  context.seed = 7;
  return context;
}

inline std::unique_ptr<Backbone> small_gpt(Overrides overrides = {}) {
  overrides.merge(Overrides{{"width", std::int64_t{32}}, {"layers", std::int64_t{2}}, {"hidden", std::int64_t{48}}});
  return make<Backbone>(Kind::backbone, "gpt", overrides, small_context());
}

/// Replaces every weight by random numbers, so that what starts at zero or one takes part.
inline void randomize(const Component& component, std::uint64_t seed) {
  const torch::NoGradGuard no_gradient;
  for (const NamedTensor& weight : component.weights()) {
    const Tensor drawn =
        Generator({derive_seed(seed, weight.name)}).normal(weight.value.sizes(), weight.value.device());
    weight.value.copy_(drawn.squeeze(0) * 0.2);
  }
}

class FakeDenoiser : public Denoiser {
 public:
  using Predict = std::function<Tensor(const Tensor& x, const Tensor& time, const Condition& condition)>;
  explicit FakeDenoiser(Predict predict) : predict_(std::move(predict)) {}

  std::unique_ptr<Condition> prepare(const Given& given) override {
    return std::make_unique<Condition>(&given.context);
  }
  Tensor predict(const Prediction& asked) override {
    ++calls;
    return predict_(asked.noised.x, asked.time, asked.condition);
  }

  int calls = 0;

 private:
  Predict predict_;
};

/// A sampler's loss on a batch.
inline std::vector<Loss> losses_of(Sampler& sampler, Denoiser& denoiser, const Visual& target,
                                   const Condition& condition, Generator& noise) {
  return dynamic_cast<Objective&>(sampler).loss({denoiser, target, condition, noise});
}

/// What a sampler makes under as many contexts as the guidance asks for.
inline Visual sample_with(Sampler& sampler, Denoiser& denoiser, const Layout& layout, const Condition& condition,
                          Generator& noise, Guidance* guidance = nullptr, Watch watch = {}) {
  const auto contexts = guidance ? static_cast<std::int64_t>(guidance->contexts().size()) : 1;
  return sampler
      .sample({.denoiser = denoiser,
               .layout = layout,
               .condition = condition,
               .noise = noise,
               .rows = noise.rows(),
               .contexts = contexts,
               .guidance = guidance,
               .watch = std::move(watch)})
      .visual;
}

inline double largest_difference(const Tensor& a, const Tensor& b) {
  if (a.sizes() != b.sizes()) throw Error("tensors of different shapes are compared");
  return (a - b).abs().max().item<double>();
}

inline Tensor normal(at::IntArrayRef row_shape, std::int64_t rows, std::uint64_t seed = 1) {
  return Generator::for_rows(seed, 0, rows).normal(row_shape, at::kCPU);
}

inline Tensor order(const std::vector<std::int64_t>& groups) { return at::tensor(groups, at::kLong); }

}  // namespace blip3u::testing
