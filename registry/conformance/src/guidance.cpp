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
    return Tensors{combined(component, inputs[0], inputs[1])};
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
}

}  // namespace blip3u::conformance
