// What the tests of encoders and decoders share.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <torch/torch.h>

#include "blip3u/decoder.h"
#include "blip3u/encoder.h"
#include "plugins_language/support.h"

namespace blip3u::testing {

/// A component's name and the parameters that make it small.
struct Choice {
  std::string name;
  Overrides overrides;
  std::string label;
};

inline void PrintTo(const Choice& choice, std::ostream* output) { *output << choice.label; }

inline std::string label_of(const ::testing::TestParamInfo<Choice>& info) { return info.param.label; }

inline Choice small_clip() {
  return {"clip",
          {{"grid", std::int64_t{4}},
           {"width", std::int64_t{32}},
           {"layers", std::int64_t{1}},
           {"heads", std::int64_t{2}},
           {"feature_width", std::int64_t{12}},
           {"embedding_width", std::int64_t{16}},
           {"pooling_width", std::int64_t{16}},
           {"text_width", std::int64_t{16}},
           {"text_heads", std::int64_t{2}},
           {"text_length", std::int64_t{6}},
           {"reconstruction_width", std::int64_t{32}}},
          "clip"};
}

inline Choice small_vae() {
  return {"vae", {{"grid", std::int64_t{4}}, {"latent_width", std::int64_t{6}}, {"width", std::int64_t{32}}}, "vae"};
}

/// 16 x 16 pixels; the wiring is what the encoder's check makes of it.
inline BuildContext encoder_context(const Choice& choice) {
  BuildContext context;
  context.wiring.image_size = 16;
  context.vocabulary = 20;
  context.seed = 7;
  const ComponentDescriptor& component = descriptor_of(Kind::encoder, choice.name);
  component.check(parameters_of(component, choice.overrides), context.wiring);
  if (!context.wiring.problems.empty()) throw Error(context.wiring.problems[0].message);
  return context;
}

inline std::unique_ptr<Encoder> make_encoder(const Choice& choice) {
  return make<Encoder>(Kind::encoder, choice.name, choice.overrides, encoder_context(choice));
}

/// Behind an encoder that makes 4 x 4 tokens of 12 numbers from 16 x 16 pixels.
inline std::unique_ptr<Decoder> make_decoder(const Choice& choice) {
  BuildContext context = small_context();
  context.wiring.features.width = 12;
  return make<Decoder>(Kind::decoder, choice.name, choice.overrides, context);
}

inline Tensor decode(Decoder& decoder, const Visual& visual, Generator& noise, Watch watch = {}) {
  return decoder.decode({.visual = visual, .noise = noise, .watch = std::move(watch)});
}

/// Pictures of 4 x 4 coloured squares: [count,3,16,16] in [-1,1].
inline Tensor pictures(std::int64_t count, std::uint64_t seed = 3) {
  Generator generator = Generator::for_rows(seed, 0, count);
  const Tensor colours = generator.uniform({3, 4, 4}, at::kCPU) * 2 - 1;
  return colours.repeat_interleave(4, 2).repeat_interleave(4, 3);
}

inline Tensor random_features(std::int64_t count, std::uint64_t seed = 5) {
  return Generator::for_rows(seed, 0, count).normal({16, 12}, at::kCPU);
}

/// Padded on the right with zeros.
inline TextBatch texts(const std::vector<std::vector<std::int64_t>>& rows, std::int64_t length = 6) {
  const auto count = static_cast<std::int64_t>(rows.size());
  TextBatch batch{torch::zeros({count, length}, torch::kLong), torch::zeros({count, length}, torch::kBool)};
  for (std::int64_t i = 0; i < count; ++i) {
    const auto& row = rows[static_cast<std::size_t>(i)];
    for (std::int64_t j = 0; j < static_cast<std::int64_t>(row.size()); ++j) {
      batch.ids[i][j] = row[static_cast<std::size_t>(j)];
      batch.valid[i][j] = true;
    }
  }
  return batch;
}

inline Tensor total(const std::vector<Loss>& losses) {
  Tensor sum = torch::zeros({});
  for (const Loss& loss : losses) sum = sum + loss.sum / loss.count;
  return sum;
}

/// Steps of Adam on the losses that `losses(step)` gives; returns the mean total loss of the first and last five.
inline std::pair<double, double> train(Component& component, std::int64_t steps, double rate,
                                       const std::function<std::vector<Loss>(std::int64_t)>& losses) {
  std::vector<Tensor> weights;
  for (const NamedTensor& weight : component.weights()) weights.push_back(weight.value);
  torch::optim::Adam optimizer(weights, torch::optim::AdamOptions(rate));
  double first = 0, last = 0;
  for (std::int64_t step = 0; step < steps; ++step) {
    optimizer.zero_grad();
    const Tensor loss = total(losses(step));
    loss.backward();
    optimizer.step();
    if (step < 5) first += loss.item<double>() / 5;
    if (step >= steps - 5) last += loss.item<double>() / 5;
  }
  return {first, last};
}

/// Weights that the gradient of the last backward pass did not reach, by name.
inline std::vector<std::string> unreached(const Component& component) {
  std::vector<std::string> names;
  for (const NamedTensor& weight : component.weights()) {
    const Tensor gradient = weight.value.grad();
    if (!gradient.defined() || gradient.abs().sum().item<double>() == 0) names.push_back(weight.name);
  }
  return names;
}

}  // namespace blip3u::testing
