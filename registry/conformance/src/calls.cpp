#include "calls.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/ranges.h>

#include "blip3u/error.h"

namespace blip3u::conformance {

namespace {

std::string shape_text(at::IntArrayRef shape) {
  return fmt::format("[{}]", fmt::join(shape.begin(), shape.end(), ", "));
}

/// The calls and, if there is one, the loss.
std::vector<Call> all_calls(const Behaviour& behaviour) {
  std::vector<Call> calls = behaviour.calls;
  if (behaviour.loss.run) calls.push_back(behaviour.loss);
  return calls;
}

template <class Change>
Tensors each(const Tensors& tensors, Change change) {
  Tensors changed;
  for (const Tensor& tensor : tensors) changed.push_back(change(tensor));
  return changed;
}

Tensors run(const Call& call, Component& component, const Tensors& inputs, const std::vector<std::uint64_t>& seeds) {
  const at::NoGradGuard no_gradient;
  Generator generator(seeds);
  return call.run(component, copies(inputs), generator);
}

std::vector<std::uint64_t> row_seeds(std::uint64_t seed) {
  std::vector<std::uint64_t> seeds;
  for (std::int64_t row = 0; row < rows; ++row) seeds.push_back(derive_seed(seed, static_cast<std::uint64_t>(row)));
  return seeds;
}

Tensors flipped(const Tensors& tensors) {
  return each(tensors, [](const Tensor& tensor) { return tensor.flip({0}); });
}

void check_output(const Subject& subject, const Call& call, const Output& wanted, const Tensor& output) {
  const std::string what = fmt::format("`{}` gives {}", call.name, wanted.name);
  if (!output.defined()) fail("{} as an undefined tensor; return what the contract names", what);
  std::vector<std::int64_t> shape = wanted.shape;
  if (call.by_row) shape.insert(shape.begin(), rows);
  bool fits = output.dim() == static_cast<std::int64_t>(shape.size());
  for (std::size_t i = 0; fits && i < shape.size(); ++i) {
    fits = shape[i] < 0 || shape[i] == output.size(static_cast<std::int64_t>(i));
  }
  if (!fits) {
    fail("{} as {} instead of {} (-1: any); return what the wiring declares, or declare it in `check`", what,
         shape_text(output.sizes()), shape_text(shape));
  }
  if (output.scalar_type() != wanted.type) {
    fail("{} as {} instead of {}; convert it", what, c10::toString(output.scalar_type()), c10::toString(wanted.type));
  }
  if (output.device() != subject.context().device) {
    fail("{} on {} instead of {}; make it on BuildContext::device", what, output.device().str(),
         subject.context().device.str());
  }
}

void declared_output(const Subject& subject, const Behaviour& behaviour) {
  const auto component = subject.make_disturbed();
  for (const Call& call : all_calls(behaviour)) {
    const Tensors outputs = run(call, *component, call.inputs, row_seeds(subject.options().seed));
    for (std::size_t i = 0; i < call.outputs.size(); ++i) check_output(subject, call, call.outputs[i], outputs.at(i));
  }
  if (behaviour.declares) behaviour.declares(*component);
}

void finite(const Subject& subject, const Behaviour& behaviour) {
  for (const bool fresh : {true, false}) {
    const auto component = fresh ? subject.make_any() : subject.make_disturbed();
    for (const Call& call : all_calls(behaviour)) {
      const Tensors outputs = run(call, *component, call.inputs, row_seeds(subject.options().seed));
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        if (outputs[i].isfinite().all().item<bool>()) continue;
        fail("`{}` gives {} with NaN or infinity for ordinary input; look for divisions, logarithms and roots",
             call.name, call.outputs[i].name);
      }
    }
  }
}

void inputs_unaltered(const Subject& subject, const Behaviour& behaviour) {
  const auto component = subject.make_disturbed();
  for (const Call& call : all_calls(behaviour)) {
    const Tensors inputs = copies(call.inputs);
    std::vector<std::int64_t> versions;
    for (const Tensor& input : inputs) versions.push_back(input._version());
    {
      const at::NoGradGuard no_gradient;
      Generator generator(row_seeds(subject.options().seed));
      call.run(*component, inputs, generator);
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i]._version() == versions[i] && inputs[i].equal(call.inputs[i])) continue;
      fail("`{}` writes to its input `{}`; work on a copy (operations whose name ends in _ write in place)", call.name,
           call.names[i]);
    }
  }
  if (behaviour.keeps) behaviour.keeps(*component);
}

void batch_equals_singles(const Subject& subject, const Behaviour& behaviour) {
  const auto component = subject.make_disturbed();
  const auto seeds = row_seeds(subject.options().seed);
  bool any = false;
  for (const Call& call : behaviour.calls) {
    if (!call.by_row) continue;
    any = true;
    const Tensors together = run(call, *component, call.inputs, seeds);
    for (std::int64_t row = 0; row < rows; ++row) {
      const auto one = [row](const Tensor& tensor) { return tensor.narrow(0, row, 1); };
      const Tensors alone = run(call, *component, each(call.inputs, one), {seeds[static_cast<std::size_t>(row)]});
      const double distance = difference(alone, each(together, one));
      if (distance <= call.tolerance) continue;
      fail(
          "`{}` of {} rows differs from that of row {} alone by {:.2g} (relative, allowed {:.0e}); let no row see "
          "another, and draw by Generator, which has a stream for each row",
          call.name, rows, row, distance, call.tolerance);
    }
    const Tensors backwards =
        run(call, *component, flipped(call.inputs), std::vector<std::uint64_t>(seeds.rbegin(), seeds.rend()));
    if (const double distance = difference(flipped(backwards), together); !(distance <= call.tolerance)) {
      fail("`{}` gives other results for the same rows in another order (by {:.2g}); let no row see its neighbours",
           call.name, distance);
    }
  }
  if (!any) skip("it has no result that belongs to single rows");
}

void same_generator_same_result(const Subject& subject, const Behaviour& behaviour) {
  const auto component = subject.make_disturbed();
  for (const Call& call : all_calls(behaviour)) {
    const auto seeds = row_seeds(subject.options().seed);
    const Tensors first = run(call, *component, call.inputs, seeds);
    if (const double distance = difference(run(call, *component, call.inputs, seeds), first); !(distance <= 1e-6)) {
      fail(
          "`{}` repeated with equal generators gives another result (by {:.2g}); draw from the Generator that is "
          "handed in alone, and keep nothing from one call to the next",
          call.name, distance);
    }
  }
}

void other_generator_other_result(const Subject& subject, const Behaviour& behaviour) {
  const auto component = subject.make_disturbed();
  std::string equal;
  bool differs = false;
  for (const Call& call : all_calls(behaviour)) {
    if (call.draws == Draws::never) continue;
    const Tensors first = run(call, *component, call.inputs, row_seeds(subject.options().seed));
    const Tensors second = run(call, *component, call.inputs, row_seeds(subject.options().seed + 1));
    if (difference(second, first) > 1e-6) {
      differs = true;
    } else if (call.draws == Draws::surely) {
      fail("`{}` gives the same result for every generator; draw from the Generator that is handed in", call.name);
    } else {
      equal = call.name;
    }
  }
  if (!differs && equal.empty()) skip("nothing that it does is random");
  if (!differs) skip("it is deterministic, as its kind may be: `{}` gives the same for every generator", equal);
}

void independent_instances(const Subject& subject, const Behaviour& behaviour) {
  for (const Call& call : all_calls(behaviour)) {
    const auto seeds = row_seeds(subject.options().seed);
    const Tensors other = flipped(call.inputs);
    const auto one_after_the_other = [&](std::uint64_t seed) {
      const auto component = subject.make_disturbed(seed);
      Tensors results = run(call, *component, call.inputs, seeds);
      const Tensors second = run(call, *component, other, seeds);
      results.insert(results.end(), second.begin(), second.end());
      return results;
    };
    Tensors expected = one_after_the_other(7);
    const Tensors more = one_after_the_other(8);
    expected.insert(expected.end(), more.begin(), more.end());
    const auto first = subject.make_disturbed(7), second = subject.make_disturbed(8);
    Tensors of_first, of_second;
    for (const Tensors& inputs : {call.inputs, other}) {
      for (const auto& [component, results] : {std::pair{first.get(), &of_first}, {second.get(), &of_second}}) {
        const Tensors result = run(call, *component, inputs, seeds);
        results->insert(results->end(), result.begin(), result.end());
      }
    }
    of_first.insert(of_first.end(), of_second.begin(), of_second.end());
    if (const double distance = difference(of_first, expected); !(distance <= 1e-6)) {
      fail(
          "`{}` of two instances used in turns differs from that of one after the other (by {:.2g}); keep state in the "
          "object, not in static or global variables",
          call.name, distance);
    }
  }
}

/// What is handed out stays as it is, whatever is asked next.
void results_last(const Subject& subject, const Behaviour& behaviour) {
  const auto component = subject.make_disturbed();
  for (const Call& call : all_calls(behaviour)) {
    const auto seeds = row_seeds(subject.options().seed);
    const Tensors first = run(call, *component, call.inputs, seeds), kept = copies(first);
    run(call, *component, flipped(call.inputs), row_seeds(subject.options().seed + 1));
    for (std::size_t i = 0; i < first.size(); ++i) {
      if (!first[i].defined() || first[i].equal(kept[i])) continue;
      fail("{} of one `{}` is overwritten by the next; hand out a tensor of its own each time", call.outputs[i].name,
           call.name);
    }
  }
}

}  // namespace

Tensors copies(const Tensors& tensors) {
  return each(tensors, [](const Tensor& tensor) { return tensor.defined() ? tensor.clone() : tensor; });
}

double difference(const Tensor& a, const Tensor& b) {
  constexpr double different = std::numeric_limits<double>::infinity();
  if (a.sizes() != b.sizes()) return different;
  if (a.numel() == 0) return 0;
  const Tensor left = a.detach().to(at::kCPU, at::kDouble), right = b.detach().to(at::kCPU, at::kDouble);
  const double distance = (left - right).abs().max().item<double>();
  const double size = std::max(right.abs().max().item<double>(), 1e-6);
  const double relative = distance / size;
  if (!std::isfinite(relative)) return different;
  return relative;
}

double difference(const Tensors& a, const Tensors& b) {
  double largest = a.size() == b.size() ? 0 : std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) largest = std::max(largest, difference(a[i], b[i]));
  return largest;
}

Tensors observe(Component& component, const Behaviour& behaviour, std::uint64_t seed) {
  Tensors all;
  for (const Call& call : all_calls(behaviour)) {
    const Tensors outputs = run(call, component, call.inputs, row_seeds(seed));
    all.insert(all.end(), outputs.begin(), outputs.end());
  }
  return all;
}

void check_losses(const Subject& subject, const std::vector<Loss>& losses) {
  const auto declared = subject.component().losses;
  std::set<std::string> names;
  for (const Loss& loss : losses) {
    if (!names.insert(loss.name).second) fail("`loss` returns the term `{}` twice; add its parts up", loss.name);
    if (std::ranges::none_of(declared, [&](const char* name) { return loss.name == name; })) {
      fail("it returns the loss `{}`, which the descriptor does not list; add it to `losses`", loss.name);
    }
    for (const auto& [value, what] : {std::pair{loss.sum, "sum"}, {loss.count, "count"}}) {
      if (!value.defined() || value.dim() != 0) fail("the {} of the loss `{}` is not a scalar", what, loss.name);
    }
    if (loss.count.item<double>() < 1) fail("the count of the loss `{}` is below 1; clamp it", loss.name);
  }
}

void check_calls(Recorder& recorder, const Subject& subject, const Behaviour& behaviour) {
  const auto add = [&](const char* name, void (*check)(const Subject&, const Behaviour&)) {
    recorder.run(name, [&] { check(subject, behaviour); });
  };
  add("declared_output", declared_output);
  add("finite", finite);
  add("inputs_unaltered", inputs_unaltered);
  add("batch_equals_singles", batch_equals_singles);
  add("same_generator_same_result", same_generator_same_result);
  add("other_generator_other_result", other_generator_other_result);
  add("independent_instances", independent_instances);
  add("results_last", results_last);
}

void check_errors(Recorder& recorder, const Subject& subject, const Behaviour& behaviour) {
  recorder.run("own_errors", [&] {
    if (!recorder.foreign().empty()) fail("{}; throw blip3u::Error instead", recorder.foreign());
    // LibTorch's own refusal of a wrong shape is as good as ours: the program turns both into one message.
    for (const ParameterSpec& spec : subject.component().parameters) {
      const bool free = spec.type == ParameterType::path || (spec.type == ParameterType::text && spec.choices.empty());
      if (!free) continue;
      const Overrides nowhere = {{spec.name, std::string("/nonexistent/blip3u-conformance")}};
      if (!subject.accepts(nowhere)) continue;
      const std::string problem = raised_by_bad_input([&] { subject.make_any({.overrides = nowhere}); }).foreign;
      if (!problem.empty()) fail("for an unusable `{}` the factory threw {}; throw blip3u::Error", spec.name, problem);
    }
    if (behaviour.errors) behaviour.errors();
    if (behaviour.calls.empty()) return;
    const auto component = subject.make_disturbed();
    for (const Call& call : all_calls(behaviour)) {
      for (std::size_t i = 0; i < call.inputs.size(); ++i) {
        const Tensor& good = call.inputs[i];
        const std::pair<const char*, Tensor> spoilt[] = {
            {"an undefined", Tensor()},
            {"a wider", at::cat({good, good.narrow(-1, 0, 1)}, -1)},
            {"a flattened", good.flatten()},
        };
        for (const auto& [how, bad] : spoilt) {
          Tensors inputs = call.inputs;
          inputs[i] = bad;
          const auto seeds = row_seeds(subject.options().seed);
          const std::string problem = raised_by_bad_input([&] { run(call, *component, inputs, seeds); }).foreign;
          if (problem.empty()) continue;
          fail("given {} `{}`, `{}` threw {}; throw blip3u::Error", how, call.names[i], call.name, problem);
        }
      }
    }
  });
}

}  // namespace blip3u::conformance
