#include "model/choose_words.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include <ATen/ATen.h>

namespace blip3u {

std::int64_t choose_word(const Tensor& logits, const TextSampling& sampling, double uniform) {
  if (sampling.temperature <= 0) return logits.argmax().item<std::int64_t>();
  const auto [scaled, order] = (logits.to(at::kCPU, at::kDouble) / sampling.temperature).sort(/*stable=*/true, 0, true);
  const Tensor probabilities = scaled.softmax(0).contiguous();
  const double* share = probabilities.const_data_ptr<double>();
  std::int64_t kept = probabilities.size(0);
  if (sampling.top_k > 0) kept = std::min(kept, sampling.top_k);
  double total = std::accumulate(share, share + kept, 0.0);
  if (sampling.top_p < 1) {
    const double wanted = sampling.top_p * total;
    total = 0;
    std::int64_t count = 0;
    while (count < kept && total < wanted) total += share[count++];
    kept = std::max<std::int64_t>(count, 1);
  }
  double left = uniform * total;
  std::int64_t chosen = 0;
  while (chosen + 1 < kept && left >= share[chosen]) left -= share[chosen++];
  return order[chosen].item<std::int64_t>();
}

std::string problem_of(const TextSampling& sampling) {
  if (!std::isfinite(sampling.temperature) || sampling.temperature < 0) {
    return fmt::format("the temperature must be 0 or more, is {}", sampling.temperature);
  }
  if (!(sampling.top_p > 0 && sampling.top_p <= 1)) {
    return fmt::format("top_p must be above 0 and at most 1, is {}", sampling.top_p);
  }
  if (sampling.top_k < 0) return fmt::format("top_k must be 0 (all) or more, is {}", sampling.top_k);
  if (sampling.longest < 1) return fmt::format("a reply must have room for 1 token, has {}", sampling.longest);
  for (const std::string& stop : sampling.stops) {
    if (stop.empty()) return "a text that ends the reply is empty";
  }
  return {};
}

}  // namespace blip3u
