// Encoders and decoders.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "blip3u/decoder.h"
#include "blip3u/encoder.h"
#include "kinds.h"
#include "partners.h"

namespace blip3u::conformance {

namespace {

bool provides(const Subject& subject, std::string_view capability) {
  for (const char* each : subject.component().provides) {
    if (capability == each) return true;
  }
  return false;
}

Encoder& encoder(Component& component) { return dynamic_cast<Encoder&>(component); }
Decoder& decoder(Component& component) { return dynamic_cast<Decoder&>(component); }

/// The call `loss`, or none if the component is not trained.
Call loss_call(const Subject& subject, std::vector<std::string> names, Tensors inputs,
               const std::function<std::vector<Loss>(Component&, const Tensors&, Generator&)>& losses) {
  Call call;
  call.name = "loss";
  call.names = std::move(names);
  call.inputs = std::move(inputs);
  call.outputs = {{"the loss", {}}};
  call.draws = Draws::perhaps;
  call.by_row = false;
  bool trained = true;
  try {
    const at::NoGradGuard no_gradient;
    Generator generator = Generator::for_rows(1, 0, rows);
    trained = !losses(*subject.make_any(), call.inputs, generator).empty();
  } catch (...) {  // a check will meet it again and report it
  }
  if (trained) {
    call.run = [losses](Component& component, const Tensors& given, Generator& generator) {
      return Tensors{total(losses(component, given, generator))};
    };
  }
  return call;
}

}  // namespace

Behaviour encoder_behaviour(const Subject& subject) {
  const BuildContext& context = subject.context();
  const Layout layout = context.wiring.features;
  const std::uint64_t seed = subject.options().seed;
  const Tensor pictures = images(rows, context, seed), ids = words(rows, 6, context, seed + 1);
  const auto captions_of = [&](std::initializer_list<std::int64_t> lengths) {
    return at::arange(6, ids.options()).unsqueeze(0) < at::tensor(lengths, ids.options()).unsqueeze(1);
  };
  const Tensor valid = captions_of({6, 4, 3}), one_without = captions_of({6, 4, 0});
  Behaviour behaviour;
  behaviour.smooth = layout.codebook == 0;

  Call encode{.name = "encode", .names = {"images"}, .inputs = {pictures}};
  if (layout.codebook == 0) {
    encode.outputs = {{"x", {layout.tokens, layout.width}}};
  } else {
    encode.outputs = {{"codes", {layout.tokens, layout.depth}, at::kLong}};
  }
  encode.run = [layout](Component& component, const Tensors& inputs, Generator&) {
    const Visual visual = encoder(component).encode(inputs[0]);
    return Tensors{layout.codebook == 0 ? visual.x : visual.codes};
  };
  behaviour.calls.push_back(encode);

  const bool embeds = provides(subject, "text_embedding");
  if (embeds) {
    Call image{.name = "embed_image", .names = {"images"}, .inputs = {pictures}, .outputs = {{"the embedding", {-1}}}};
    image.run = [](Component& component, const Tensors& inputs, Generator&) {
      return Tensors{encoder(component).embed_image(encoder(component).encode(inputs[0]))};
    };
    behaviour.calls.push_back(image);
    Call text{
        .name = "embed_text", .names = {"ids", "valid"}, .inputs = {ids, valid}, .outputs = {{"the embedding", {-1}}}};
    text.run = [](Component& component, const Tensors& inputs, Generator&) {
      return Tensors{encoder(component).embed_text({inputs[0], inputs[1]})};
    };
    behaviour.calls.push_back(text);
  }

  const auto losses = [](Component& component, const Tensors& inputs, Generator& generator) {
    return encoder(component).loss({inputs[0], {inputs[1], inputs[2]}}, generator);
  };
  behaviour.loss = loss_call(subject, {"images", "ids", "valid"}, {pictures, ids, one_without}, losses);

  behaviour.declares = [&subject, layout, losses, embeds, valid, inputs = behaviour.loss.inputs](Component& component) {
    const at::NoGradGuard no_gradient;
    if (encoder(component).layout() != layout) {
      fail("`layout()` is not what `check` wrote to Wiring::features; return BuildContext::wiring.features");
    }
    Generator generator = Generator::for_rows(1, 0, rows);
    check_losses(subject, losses(component, inputs, generator));
    const Visual visual = encoder(component).encode(inputs[0]);
    if (layout.codebook > 0 && !visual.codes.ge(0).logical_and(visual.codes.lt(layout.codebook)).all().item<bool>()) {
      fail("codes lie outside the codebook of {} entries", layout.codebook);
    }
    if (!embeds) return;
    const Tensor image = encoder(component).embed_image(visual);
    const Tensor text = encoder(component).embed_text({inputs[1], valid});
    if (image.sizes() != text.sizes()) fail("embeddings of images and of texts differ in width");
    if (difference(at::cat({image, text}).square().sum(at::IntArrayRef({1})).sqrt(),
                   at::ones({2 * rows}, image.options())) > 1e-4) {
      fail("embeddings are not of unit length; normalise them");
    }
  };
  return behaviour;
}

Behaviour decoder_behaviour(const Subject& subject) {
  const BuildContext& context = subject.context();
  const Layout layout = context.wiring.features;
  const std::uint64_t seed = subject.options().seed;
  const std::int64_t size = context.wiring.image_size;
  const Tensor tokens = image_tokens(layout, rows, seed, context.device);
  const std::string name = layout.codebook == 0 ? "x" : "codes";
  Behaviour behaviour;
  Call decode{.name = "decode", .names = {name}, .inputs = {tokens}, .outputs = {{"images", {3, size, size}}}};
  decode.draws = Draws::perhaps;
  decode.tolerance = 1e-4;  // a decoder may take many steps
  decode.run = [layout](Component& component, const Tensors& inputs, Generator& generator) {
    const Visual visual = as_visual(layout, inputs[0]);
    return Tensors{decoder(component).decode({.visual = visual, .noise = generator})};
  };
  behaviour.calls.push_back(decode);
  const auto losses = [layout](Component& component, const Tensors& inputs, Generator& generator) {
    return decoder(component).loss({as_visual(layout, inputs[0]), inputs[1], generator});
  };
  behaviour.loss = loss_call(subject, {name, "images"}, {tokens, images(rows, context, seed + 1)}, losses);
  behaviour.declares = [&subject, losses, inputs = behaviour.loss.inputs](Component& component) {
    const at::NoGradGuard no_gradient;
    Generator generator = Generator::for_rows(1, 0, rows);
    check_losses(subject, losses(component, inputs, generator));
  };
  return behaviour;
}

void check_decoder(Recorder& recorder, const Subject& subject, const Behaviour& behaviour) {
  recorder.run("range_and_size", [&] {
    const at::NoGradGuard no_gradient;
    const Call& decode = behaviour.calls.front();
    const std::int64_t size = subject.wiring().image_size;
    for (const bool fresh : {true, false}) {
      const auto component = fresh ? subject.make_any() : subject.make_disturbed();
      for (const std::int64_t factor : {0, 1, 30, 1000}) {
        if (subject.wiring().features.codebook > 0 && factor > 1) continue;  // there are no such codes
        Generator generator = Generator::for_rows(subject.options().seed, 0, rows);
        const Tensor pictures = decode.run(*component, {decode.inputs[0] * factor}, generator)[0];
        if (pictures.sizes() != at::IntArrayRef({rows, 3, size, size})) {
          fail("images are not [B,3,S,S] with S = {}, the wiring's image size", size);
        }
        if (!pictures.isfinite().all().item<bool>()) fail("features times {} give images with NaN or infinity", factor);
        const double largest = pictures.abs().max().item<double>();
        if (largest > 1) {
          fail("features times {} give pixels up to {:.4g}; clamp images to [-1,1] (images.clamp(-1, 1))", factor,
               largest);
        }
      }
    }
  });
}

}  // namespace blip3u::conformance
