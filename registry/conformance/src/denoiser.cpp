// Denoisers.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "denoising.h"

namespace blip3u::conformance {

namespace {

/// Whether it is one of codes that takes masked ones.
bool masks(const Subject& subject) {
  if (subject.wiring().features.codebook == 0) return false;
  try {
    const Painted painted(subject);
    if (dynamic_cast<Streams*>(&painted.denoiser())) return false;
    const auto session = read(painted.context);
    return !refused([&] { painted.predict(at::full_like(painted.tokens, -1), *painted.prepare(*session)); });
  } catch (...) {  // a check will meet it again and report it
    return false;
  }
}

}  // namespace

Behaviour denoiser_behaviour(const Subject& subject) {
  const Layout layout = subject.wiring().features;
  const bool codes = layout.codebook > 0;
  const std::uint64_t seed = subject.options().seed;
  const at::Device device = subject.context().device;
  const Tensor tokens = image_tokens(layout, rows, seed, device), context = context_embeds(subject, seed + 1);
  const Tensor time = Generator::for_rows(seed + 2, 0, rows).uniform({}, device);
  const Painter painter(subject);
  Behaviour behaviour;
  Call call{.name = "predict", .names = {codes ? "codes" : "x", "time", "context"}, .inputs = {tokens, time, context}};
  call.outputs = {{"the prediction", {layout.tokens, layout.width}}};
  if (codes) call.outputs = {{"the prediction", {layout.tokens, layout.depth, layout.codebook}}};
  call.run = [painter](Component& component, const Tensors& inputs, Generator&) {
    return Tensors{painter.predict(denoiser(component), inputs[0], inputs[1], inputs[2])};
  };
  behaviour.calls.push_back(call);

  // Flow matching, or the cross-entropy of codes, as any sampler would train it; one row stands for nothing, where the
  // denoiser has a condition for that.
  Call& loss = behaviour.loss;
  loss = {.name = "predict with gradients", .names = {call.names[0], "context"}, .inputs = {tokens, context}};
  loss.outputs = {{"the loss", {}}};
  loss.by_row = false;
  loss.run = [painter, codes, masks = masks(subject)](Component& component, const Tensors& inputs,
                                                      Generator& generator) {
    const Tensor& data = inputs[0];
    const auto session = read(inputs[1]);
    auto condition = painter.prepare(denoiser(component), *session);
    if (auto* const nulls = dynamic_cast<Nulls*>(&component)) {
      const Tensor row = at::arange(data.size(0), data.options().dtype(at::kLong).requires_grad(false));
      condition = nulls->null(*condition, row == 1);
    }
    const auto predict = [&](const Tensor& noised, const Tensor& time) {
      return painter.predict(denoiser(component), noised, time, *condition);
    };
    const Tensor at_time = generator.uniform({}, data.device()).to(inputs[1].scalar_type());
    if (codes) {
      Tensor shown = data.clone();
      if (masks) shown.slice(1, 1, std::nullopt, 2).fill_(-1);  // every second place
      const Tensor logits = predict(shown, at_time);
      return Tensors{at::cross_entropy_loss(logits.flatten(0, 2), data.flatten())};
    }
    const Tensor noise = generator.normal(data.sizes().slice(1), data.device()).to(data.scalar_type());
    const Tensor noised = at::lerp(data, noise, at_time.view({-1, 1, 1}));
    return Tensors{(predict(noised, at_time) - (noise - data)).square().mean()};
  };

  behaviour.keeps = [painter, tokens, time, context, &subject](Component& component) {
    const at::NoGradGuard no_gradient;
    const auto used = read(context), untouched = read(context);
    const auto condition = painter.prepare(denoiser(component), *used);
    painter.predict(denoiser(component), tokens, time, *condition);
    Block block;
    block.embeds = context_embeds(subject, 99);
    if (difference(used->append(block), untouched->append(block)) > 1e-6) {
      fail("`prepare` or `predict` leaves a trace in the session; set Block::commit to false, or fork the session");
    }
  };
  return behaviour;
}

void check_denoiser(Recorder& recorder, const Subject& subject, const Behaviour& behaviour) {
  const Call& call = behaviour.calls.front();
  const auto predicted = [&](Component& component, const Tensor& time, const Tensor& context) {
    const at::NoGradGuard no_gradient;
    Generator generator = Generator::for_rows(1, 0, rows);
    return call.run(component, {call.inputs[0], time, context}, generator)[0];
  };
  recorder.run("condition_used", [&] {
    const auto component = subject.make_disturbed();
    const Tensor& time = call.inputs[1];
    const Tensor first = predicted(*component, time, context_embeds(subject, 21));
    if (difference(predicted(*component, time, context_embeds(subject, 22)), first) > 1e-6) return;
    fail(
        "the prediction is the same for every context; read the session in `prepare` and use the condition in "
        "`predict`");
  });
  recorder.run("conditions_apart", [&] {
    const at::NoGradGuard no_gradient;
    const auto component = subject.make_disturbed();
    const Painter painter(subject);
    const Tensor &time = call.inputs[1], contexts[] = {context_embeds(subject, 21), context_embeds(subject, 22)};
    const Tensor expected = predicted(*component, time, contexts[0]);
    const auto first = read(contexts[0]), second = read(contexts[1]);
    const auto one = painter.prepare(denoiser(*component), *first);
    const auto other = painter.prepare(denoiser(*component), *second);
    const auto predict_by = [&](const std::unique_ptr<Condition>& condition) {
      return painter.predict(denoiser(*component), call.inputs[0].clone(), time.clone(), *condition);
    };
    const char* const mend = "keep what belongs to one condition in Condition, and do not write to it in `predict`";
    if (difference(predict_by(one), expected) > 1e-6) {
      fail("the prediction by one condition changes when another is prepared after it; {}", mend);
    }
    predict_by(other);
    if (difference(predict_by(one), expected) > 1e-6) {
      fail("the prediction by one condition changes when it has been used before; {}", mend);
    }
  });
  recorder.run("finite_at_ends", [&] {
    for (const bool fresh : {true, false}) {
      const auto component = fresh ? subject.make_any() : subject.make_disturbed();
      for (const double end : {0.0, 1.0}) {
        const Tensor time = at::full_like(call.inputs[1], end);
        if (predicted(*component, time, call.inputs[2]).isfinite().all().item<bool>()) continue;
        fail("the prediction at time {} has NaN or infinity; time runs from 0 to 1, both included", end);
      }
    }
  });
  recorder.run("given_pictures", [&] { return given_pictures(subject); });
  if (subject.wiring().features.codebook > 0) {
    recorder.run("codes", [&] { return codes_before(subject); });
  } else {
    recorder.run("times_ahead", [&] { times_ahead(subject); });
  }
  const auto component = subject.make_any();
  const bool streaming = dynamic_cast<Streams*>(component.get()) != nullptr;
  if (streaming || provides(subject, "stream")) {
    recorder.run("stream", [&] {
      if (!streaming) fail("it provides `stream`, but does not derive from Streams");
      if (!provides(subject, "stream")) fail("it derives from Streams; list `stream` in `provides`");
      return streams(subject);
    });
  }
  const bool keeping = dynamic_cast<Keeps*>(component.get()) != nullptr;
  if (keeping || provides(subject, "keep")) {
    recorder.run("keeps", [&] {
      if (!keeping) fail("it provides `keep`, but does not derive from Keeps");
      if (!provides(subject, "keep")) fail("it derives from Keeps; list `keep` in `provides`");
      keeps(subject);
    });
  }
  if (dynamic_cast<Nulls*>(component.get())) recorder.run("nulls", [&] { nulls(subject); });
}

}  // namespace blip3u::conformance
