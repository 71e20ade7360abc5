// A one-layer encoder and a data set of noise: the least that a stage can train.
#pragma once

#include <csignal>
#include <stdexcept>

#include <torch/torch.h>

#include "blip3u/dataset.h"
#include "blip3u/encoder.h"
#include "blip3u/image.h"
#include "blip3u/module_component.h"
#include "blip3u/tokenizer.h"
#include "io/interrupt.h"
#include "pipeline/pipeline.h"
#include "recipe/check.h"
#include "training/training_data.h"

namespace blip3u::testing {

inline constexpr std::int64_t fake_images = 10;

/// Captioned pictures of noise.
class FakeDataset final : public Dataset, public Indexed {
 public:
  std::vector<Chapter> chapters(Split) const override { return {{"all", fake_images}}; }
  std::unique_ptr<Reader> open(Split split, std::int64_t) const override { return read_in_order(*this, split); }
  std::string fingerprint() const override { return "fake"; }
  std::int64_t samples(Split) const override { return fake_images; }
  Sample sample(Split, std::int64_t index) const override {
    const Tensor picture = at::sin(at::arange(3 * 8 * 8, at::kFloat) * static_cast<double>(index + 1)).view({3, 8, 8});
    Sample sample;
    sample.id = std::to_string(index);
    sample.messages = {{Role::user, {text_part("a thing")}}, {Role::assistant, {image_part(0, 1)}}};
    sample.images = {to_bytes(picture)};
    sample.captions = {"a thing"};
    return sample;
  }
};

class FakeTokenizer final : public Tokenizer {
 public:
  std::string serialize() const override { return {}; }
  void restore(const std::string&) override {}
  std::int64_t vocabulary() const override { return 4; }
  std::vector<std::int64_t> encode(std::string_view) const override { return {3}; }
  std::string decode(const std::vector<std::int64_t>&) const override { return "thing"; }
};

/// Learns to make its features equal to noise-perturbed means of the image, so that data order, noise and weights all
/// matter. Throws when the loss has been asked for `fail_at` times, as a crash would.
class FakeEncoder final : public ModuleComponent<Encoder> {
 public:
  inline static int calls = 0;
  inline static int fail_at = -1;
  inline static int interrupt_at = -1;
  inline static bool spoil_gradients = false;

  FakeEncoder(const Parameters&, const BuildContext& context)
      : linear_(register_module("linear", torch::nn::Linear(3 * 64, 4))) {
    finish(context);
  }
  Layout layout() const override { return {.tokens = 1, .width = 4}; }
  Visual encode(const Tensor& images) override { return {linear_(images.flatten(1)).unsqueeze(1), {}}; }
  std::vector<Loss> loss(const EncoderBatch& batch, Generator& generator) override {
    if (calls == interrupt_at) {
      install_interrupt_handler();
      std::raise(SIGINT);
    }
    if (calls++ == fail_at) throw std::runtime_error("a crash");
    const Tensor noise = generator.normal({4}, at::kCPU);
    Tensor difference = encode(batch.images).x.squeeze(1) - batch.images.flatten(1).slice(1, 0, 4) - 0.1 * noise;
    if (spoil_gradients) difference = difference + (0 * linear_->weight).sum().sqrt();  // 0, of slope infinity
    return {{"difference", difference.square().sum(), at::full({}, static_cast<double>(difference.numel()))}};
  }

 private:
  torch::nn::Linear linear_;
};

inline constexpr const char* fake_losses[] = {"difference"};
inline constexpr ComponentDescriptor fake_encoder{
    .kind = Kind::encoder, .name = "fake", .summary = "", .losses = fake_losses, .create = &create<FakeEncoder>};

/// Names a part of a pipeline with one encoder and one link.
inline void put(Recipe& recipe, const std::string& role, ComponentChoice choice) {
  PipelineChoices& pipeline = recipe.pipeline;
  pipeline.parts[role] = std::move(choice);
  if (role == "encoder") pipeline.understanding = {role};
  for (const LinkKey& key : short_link_keys) {
    if (role != key.name) continue;
    if (pipeline.generation.empty()) pipeline.generation.push_back({.target = "encoder"});
    pipeline.generation.front().*key.role = role;
  }
}

inline Recipe fake_recipe() {
  Recipe recipe{.name = "fake",
                .data = {.sources = {SourceChoice{}}, .image_size = 8, .window = 1},
                .tokenizer = {.kind = Kind::tokenizer},
                .prompt_template = "{prompt}",
                .question_template = "{question}"};
  recipe.wiring.image_size = 8;
  recipe.wiring.features = {.tokens = 1, .width = 4};
  put(recipe, "encoder",
      {.kind = Kind::encoder,
       .name = "fake",
       .entry = {&fake_encoder, "/fake.so", "1", "hash"},
       .parameters = {},
       .wiring = recipe.wiring});
  recipe.pipeline.parts.at("encoder").loss_weights["difference"] = 1;
  return recipe;
}

inline Stage fake_stage() {
  return {.name = "encoder",
          .objective = ObjectiveKind::encoder,
          .train = {"encoder"},
          .steps = 12,
          .batch = 4,
          .learning_rate = 0.05,
          .final_learning_rate = 0.1,
          .warmup = 0.25,
          .weight_decay = 0.01,
          .gradient_clip = 1.0,
          .average_decay = 0.9,
          .checkpoint_every = 3};
}

}  // namespace blip3u::testing
