// Encoders and decoders.
#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "blip3u/decoder.h"
#include "blip3u/encoder.h"
#include "kinds.h"
#include "partners.h"
#include "watch.h"

namespace blip3u::conformance {

namespace {

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

namespace {

/// An encoder whose features would differ while another part is trained.
std::string encode_with_gradients(const Subject& subject) {
  const auto component = subject.make_disturbed();
  const Tensor pictures = images(rows, subject.context(), subject.options().seed);
  const Visual with = encoder(*component).encode(pictures.clone());
  const at::NoGradGuard no_gradient;
  const Visual without = encoder(*component).encode(pictures.clone());
  const bool features = without.x.defined();
  if (features ? difference(with.x, without.x) > 1e-4 : !with.codes.equal(without.codes)) {
    fail("`encode` gives other features while gradients are enabled; only set_training may change what it does");
  }
  if (component->weights().empty() || (features && with.x.requires_grad())) return {};
  return "no gradient comes back through `encode`, so that only its own loss trains it";
}

/// [B,E] of one text, whatever fills the rest of its row.
void text_padding(const Subject& subject) {
  const at::NoGradGuard no_gradient;
  const auto component = subject.make_disturbed();
  const BuildContext& context = subject.context();
  const Tensor ids = words(rows, 6, context, subject.options().seed), other = words(rows, 9, context, 77);
  const auto places = [&](std::int64_t count) { return at::arange(count, ids.options()).unsqueeze(0); };
  const auto embedded = [&](const Tensor& all, std::int64_t first, std::int64_t last) {
    const Tensor lengths = at::tensor({first, std::int64_t{2}, last}, ids.options()).unsqueeze(1);
    return encoder(*component).embed_text({all, places(all.size(1)) < lengths});
  };
  const Tensor expected = embedded(ids, 4, 3);
  const Tensor refilled = at::where(places(6) < 4, ids, other.slice(1, 0, 6));
  if (difference(embedded(refilled, 4, 3), expected) > 1e-5) {
    fail("the embedding of a text depends on the ids behind its end; mask what TextBatch::valid says is padding");
  }
  if (difference(embedded(at::cat({ids, other.slice(1, 6)}, 1), 4, 3), expected) > 1e-5) {
    fail("the embedding of a text depends on how far its row is padded; look at TextBatch::valid");
  }
  if (!embedded(ids, 4, 0).isfinite().all().item<bool>()) {
    fail("a row without a text gets an embedding with NaN or infinity; it may be anything finite");
  }
}

/// The embedding of codes is that of `encode`, group by group.
std::string codes(const Subject& subject) {
  const at::NoGradGuard no_gradient;
  const auto component = subject.make_disturbed();
  const Layout& layout = subject.wiring().features;
  if (layout.codebook == 0) fail("it provides `codes`, but `check` sets no Layout::codebook");
  const Visual visual = encoder(*component).encode(images(rows, subject.context(), subject.options().seed));
  const auto groups = layout.groups.empty() ? std::vector<std::int64_t>{layout.tokens} : layout.groups;
  Tensors parts;
  std::int64_t last = 0;
  for (std::size_t group = 0; group < groups.size(); ++group) {
    last += groups[group];
    const Tensor so_far = visual.codes.slice(1, 0, last);
    const auto number = static_cast<std::int64_t>(group);
    parts.push_back(encoder(*component).embed_codes(so_far.clone(), number));
    if (parts.back().sizes() != at::IntArrayRef({rows, groups[group], layout.width})) {
      fail("`embed_codes` of group {} is not [{},{},{}]; give the input embedding of that group", group, rows,
           groups[group], layout.width);
    }
    if (!parts.back().isfinite().all().item<bool>()) fail("`embed_codes` of group {} has NaN or infinity", group);
    const Tensor alone = encoder(*component).embed_codes(so_far.narrow(0, 1, 1).clone(), number);
    if (difference(alone, parts.back().narrow(0, 1, 1)) > 1e-5) {
      fail("`embed_codes` of a row depends on its neighbours; let no row see another");
    }
  }
  if (!visual.x.defined()) return "`encode` gives no embedding to compare with";
  if (std::ranges::any_of(groups, [&](std::int64_t count) { return count != groups[0]; })) {
    return "groups of unlike sizes need not be embedded place by place";
  }
  if (difference(at::cat(parts, 1), visual.x) > 1e-4) {
    fail("`embed_codes` of the codes that `encode` gives is not its x; both are the embedding of the same codes");
  }
  return fmt::format("{} groups", groups.size());
}

}  // namespace

void check_encoder(Recorder& recorder, const Subject& subject) {
  recorder.run("encode_with_gradients", [&] { return encode_with_gradients(subject); });
  if (provides(subject, "text_embedding")) recorder.run("text_padding", [&] { text_padding(subject); });
  if (provides(subject, "codes")) recorder.run("codes", [&] { return codes(subject); });
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
  recorder.run("watch", [&] {
    const auto component = subject.make_disturbed();
    const Visual visual = as_visual(subject.wiring().features, behaviour.calls.front().inputs[0]);
    return watched(
        [&](const Watch& watch) {
          Generator noise = Generator::for_rows(subject.options().seed, 0, rows);
          return decoder(*component).decode({.visual = visual, .noise = noise, .watch = watch});
        },
        subject.find_parameter("steps") != nullptr);
  });
}

}  // namespace blip3u::conformance
