// Backbones: what they share with all kinds, and which checks they have of their own.
#include <ATen/ATen.h>

#include "reading.h"

namespace blip3u::conformance {

Behaviour backbone_behaviour(const Subject& subject) {
  const BuildContext& context = subject.context();
  const Layout layout = context.wiring.features;
  const std::int64_t width = context.wiring.backbone_width;
  const std::uint64_t seed = subject.options().seed;
  const Tensor ids = words(rows, length, context, seed), tokens = image_tokens(layout, rows, seed + 1, context.device);
  Behaviour behaviour;
  Call text{.name = "append", .names = {"ids"}, .inputs = {ids}};
  text.outputs = {{"hidden states", {length, width}},
                  {"logits", {length, context.vocabulary + context.wiring.extra_words}}};
  text.run = [](Component& component, const Tensors& inputs, Generator&) {
    const auto session = backbone(component).begin(inputs[0].size(0));
    const Tensor hidden = session->append(block_of(backbone(component).embed(inputs[0])));
    return Tensors{hidden, backbone(component).logits(hidden)};
  };
  behaviour.calls.push_back(text);
  const bool sees = layout.tokens > 0 && layout.codebook == 0;
  if (sees) {
    Call visual{.name = "embed_visual", .names = {"x"}, .inputs = {tokens}, .outputs = {{"embeds", {-1, width}}}};
    visual.run = [](Component& component, const Tensors& inputs, Generator&) {
      return Tensors{backbone(component).embed_visual({inputs[0], {}}).embeds};
    };
    behaviour.calls.push_back(visual);
  }
  // The next word, after an image.
  Call& loss = behaviour.loss;
  loss = {.name = "append with gradients", .names = {"ids", "x"}, .inputs = {ids, tokens}};
  loss.outputs = {{"the loss", {}}};
  loss.by_row = false;
  loss.run = [sees, experts = context.wiring.experts](Component& component, const Tensors& inputs, Generator&) {
    const auto session = backbone(component).begin(inputs[0].size(0));
    if (sees) session->append(backbone(component).embed_visual({inputs[1], {}}));
    Block text = block_of(backbone(component).embed(inputs[0]));
    // Every expert has its share of the tokens.
    if (experts > 1) text.expert = at::arange(length, at::TensorOptions(at::kLong)).remainder(experts);
    const Tensor hidden = session->append(text);
    const Tensor logits = backbone(component).logits(hidden).slice(1, 0, -1);
    return Tensors{at::cross_entropy_loss(logits.flatten(0, 1), inputs[0].slice(1, 1).flatten())};
  };
  behaviour.keeps = [&subject](Component&) { block_unaltered(subject); };
  behaviour.declares = [width](Component& component) {
    if (backbone(component).width() != width) fail("`width()` is not what `check` wrote to Wiring::backbone_width");
    if (backbone(component).begin(rows)->batch() != rows) fail("`batch()` of a session is not what `begin` was given");
  };
  return behaviour;
}

void check_backbone(Recorder& recorder, const Subject& subject) {
  recorder.run("cache", [&] { cache(subject); });
  recorder.run("long_context", [&] { long_context(subject); });
  recorder.run("cache_gradients", [&] { cache_gradients(subject); });
  recorder.run("sessions", [&] { return sessions(subject); });
  recorder.run("causality", [&] { causality(subject); });
  recorder.run("places", [&] { return places(subject); });
  recorder.run("experts", [&] { return experts(subject); });
  const Layout& features = subject.wiring().features;
  if (features.tokens > 0 && features.codebook == 0) recorder.run("pictures", [&] { return pictures(subject); });
}

}  // namespace blip3u::conformance
