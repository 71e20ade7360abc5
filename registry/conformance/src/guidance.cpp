// Guidances: rows apart, and what every mixture of contexts owes to equal ones.
#include <algorithm>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "blip3u/guidance.h"
#include "kinds.h"
#include "partners.h"

namespace blip3u::conformance {

namespace {

Guidance& guidance(Component& component) { return dynamic_cast<Guidance&>(component); }

/// [k,B,...] of inputs [B,k,...], so that rows come first as in every call of the kit.
Tensor combined(Component& component, const Tensor& by_row, const Tensor& time) {
  return guidance(component).combine({by_row.transpose(0, 1).contiguous(), time});
}

std::vector<Context> contexts_of(const Subject& subject) { return subject.make<Guidance>()->contexts(); }

}  // namespace

Behaviour guidance_behaviour(const Subject& subject) {
  std::int64_t contexts = 1;
  try {
    contexts = std::max<std::int64_t>(1, static_cast<std::int64_t>(contexts_of(subject).size()));
  } catch (...) {  // a check will meet it again and report it
  }
  const std::uint64_t seed = subject.options().seed;
  const at::Device device = subject.context().device;
  Call call{.name = "combine", .names = {"predictions", "time"}};
  call.inputs = {normal({contexts, 4, 5}, rows, seed, device),
                 Generator::for_rows(seed + 1, 0, rows).uniform({}, device)};
  call.outputs = {{"the prediction", {4, 5}}};
  call.run = [](Component& component, const Tensors& inputs, Generator&) {
    const Tensor by_row = inputs[0].transpose(0, 1), given = by_row.contiguous();
    Tensor made = guidance(component).combine({given, inputs[1]});
    if (!given.equal(by_row)) inputs[0].copy_(given.transpose(0, 1));  // let `inputs_unaltered` see it
    return Tensors{made};
  };
  Behaviour behaviour;
  behaviour.calls.push_back(std::move(call));
  return behaviour;
}

void check_guidance(Recorder& recorder, const Subject& subject) {
  recorder.run("contexts", [&] {
    const auto contexts = contexts_of(subject);
    if (contexts.empty() || contexts.front() != Context::whole) fail("`contexts()` must begin with Context::whole");
    auto sorted = contexts;
    std::ranges::sort(sorted);
    if (std::ranges::adjacent_find(sorted) != sorted.end()) fail("`contexts()` names a context twice");
    const auto component = subject.make<Guidance>();
    for (const double time : {1.0, 0.0}) {
      const Tensor times = at::full({rows}, time, at::TensorOptions(subject.context().device));
      combined(*component, normal({std::ssize(contexts), 4, 5}, rows, 1, times.device()), times);
      if (component->contexts() == contexts) continue;
      fail("`contexts()` of one object changes after `combine`; it must always be the same");
    }
  });
  recorder.run("equal_contexts", [&] {
    const at::NoGradGuard no_gradient;
    const auto component = subject.make<Guidance>();
    const auto contexts = static_cast<std::int64_t>(component->contexts().size());
    const at::Device device = subject.context().device;
    const Tensor one = normal({1, 4, 5}, rows, subject.options().seed, device);
    for (const double time : {0.0, 0.5, 1.0}) {
      const Tensor times = at::full({rows}, time, one.options());
      const Tensor made = combined(*component, one.expand({-1, contexts, -1, -1}), times);
      if (difference(made, one.select(1, 0)) > 1e-5) {
        fail("equal predictions under all contexts give another at time {}; the weights of the contexts must sum to 1",
             time);
      }
    }
  });
  recorder.run("without_time", [&] {
    const at::NoGradGuard no_gradient;
    const auto component = subject.make<Guidance>();
    const auto contexts = static_cast<std::int64_t>(component->contexts().size());
    const Tensor logits = normal({contexts, 4, 11}, rows, subject.options().seed + 2, subject.context().device);
    Tensor made;
    if (refused([&] { made = combined(*component, logits, {}); })) {
      fail("it refuses logits of codes, which have no time; Combination::time is undefined for them");
    }
    if (made.sizes() != at::IntArrayRef({rows, 4, 11}) || !made.isfinite().all().item<bool>()) {
      fail("without a time, as for codes, the prediction is not finite numbers of the shape of one context");
    }
  });
}

}  // namespace blip3u::conformance
