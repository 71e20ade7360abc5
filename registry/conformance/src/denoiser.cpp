// Denoisers.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "blip3u/denoiser.h"
#include "kinds.h"
#include "partners.h"

namespace blip3u::conformance {

namespace {

constexpr std::int64_t context_length = 5;

Denoiser& denoiser(Component& component) { return dynamic_cast<Denoiser&>(component); }

Tensor context_embeds(const Subject& subject, std::uint64_t seed) {
  return normal({context_length, subject.wiring().backbone_width}, rows, seed, subject.context().device);
}

/// Tokens, time and context -> the prediction.
Tensor predict(Component& component, const Layout& layout, const Tensor& tokens, const Tensor& time,
               const Tensor& context) {
  const auto session = read(context);
  const auto condition = denoiser(component).prepare({.context = *session});
  return denoiser(component).predict({.noised = as_visual(layout, tokens), .time = time, .condition = *condition});
}

}  // namespace

Behaviour denoiser_behaviour(const Subject& subject) {
  const Layout layout = subject.wiring().features;
  const bool codes = layout.codebook > 0;
  const std::uint64_t seed = subject.options().seed;
  const at::Device device = subject.context().device;
  const Tensor tokens = image_tokens(layout, rows, seed, device), context = context_embeds(subject, seed + 1);
  const Tensor time = Generator::for_rows(seed + 2, 0, rows).uniform({}, device);
  Behaviour behaviour;
  Call call{.name = "predict", .names = {codes ? "codes" : "x", "time", "context"}, .inputs = {tokens, time, context}};
  call.outputs = {{"the prediction", {layout.tokens, layout.width}}};
  if (codes) call.outputs = {{"the prediction", {layout.tokens, layout.depth, layout.codebook}}};
  call.run = [layout](Component& component, const Tensors& inputs, Generator&) {
    return Tensors{predict(component, layout, inputs[0], inputs[1], inputs[2])};
  };
  behaviour.calls.push_back(call);

  // Flow matching, or the cross-entropy of codes, as any sampler would train it.
  Call& loss = behaviour.loss;
  loss = {.name = "predict with gradients", .names = {call.names[0], "context"}, .inputs = {tokens, context}};
  loss.outputs = {{"the loss", {}}};
  loss.by_row = false;
  loss.run = [layout, codes](Component& component, const Tensors& inputs, Generator& generator) {
    const Tensor& data = inputs[0];
    const Tensor at_time = generator.uniform({}, data.device()).to(inputs[1].scalar_type());
    if (codes) {
      const Tensor logits = predict(component, layout, data, at_time, inputs[1]);
      return Tensors{at::cross_entropy_loss(logits.flatten(0, 2), data.flatten())};
    }
    const Tensor noise = generator.normal(data.sizes().slice(1), data.device()).to(data.scalar_type());
    const Tensor noised = at::lerp(data, noise, at_time.view({-1, 1, 1}));
    return Tensors{(predict(component, layout, noised, at_time, inputs[1]) - (noise - data)).square().mean()};
  };

  behaviour.keeps = [layout, tokens, time, context, &subject](Component& component) {
    const at::NoGradGuard no_gradient;
    const auto used = read(context), untouched = read(context);
    const auto condition = denoiser(component).prepare({.context = *used});
    denoiser(component).predict({.noised = as_visual(layout, tokens), .time = time, .condition = *condition});
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
    const Layout& layout = subject.wiring().features;
    const Tensor &time = call.inputs[1], contexts[] = {context_embeds(subject, 21), context_embeds(subject, 22)};
    const Tensor expected = predicted(*component, time, contexts[0]);
    const auto first = read(contexts[0]), second = read(contexts[1]);
    const auto one = denoiser(*component).prepare({.context = *first});
    const auto other = denoiser(*component).prepare({.context = *second});
    const auto predict_by = [&](const std::unique_ptr<Condition>& condition) {
      return denoiser(*component)
          .predict(
              {.noised = as_visual(layout, call.inputs[0].clone()), .time = time.clone(), .condition = *condition});
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
}

}  // namespace blip3u::conformance
