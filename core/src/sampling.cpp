// One pass of the denoiser under all contexts of a guidance.
#include <ATen/ATen.h>

#include "blip3u/sampler.h"

namespace blip3u {

namespace {

/// Every context works on the same rows.
Tensor for_all_contexts(const SampleTask& task, const Tensor& rows) {
  if (!rows.defined() || task.contexts == 1) return rows;
  std::vector<std::int64_t> times(static_cast<std::size_t>(rows.dim()), 1);
  times[0] = task.contexts;
  return rows.repeat(times);
}

Tensor combined(const SampleTask& task, const Tensor& predictions, const Tensor& time) {
  if (task.contexts == 1) return predictions;
  return task.guidance->combine({predictions.unflatten(0, {task.contexts, task.rows}), time});
}

}  // namespace

Tensor guided_prediction(const SampleTask& task, const Visual& noised, double time, std::int64_t step) {
  const Tensor& rows = noised.x.defined() ? noised.x : noised.codes;
  const Tensor times = at::full({task.contexts * task.rows}, time, rows.options().dtype(at::kFloat));
  Visual repeated = noised;
  repeated.x = for_all_contexts(task, noised.x);
  repeated.codes = for_all_contexts(task, noised.codes);
  repeated.valid = for_all_contexts(task, noised.valid);
  for (std::int64_t context = 1; context < task.contexts; ++context) {
    repeated.grids.insert(repeated.grids.end(), noised.grids.begin(), noised.grids.end());
  }
  const Tensor predictions =
      task.denoiser.predict({.noised = std::move(repeated), .time = times, .condition = task.condition, .step = step});
  return combined(task, predictions, times.slice(0, 0, task.rows));
}

Tensor guided_scores(const SampleTask& task, Stream& stream) { return combined(task, stream.scores(), {}); }

void push_to_all(const SampleTask& task, Stream& stream, const Tensor& chosen) {
  stream.push(for_all_contexts(task, chosen));
}

}  // namespace blip3u
