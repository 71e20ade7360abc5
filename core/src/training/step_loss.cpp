#include "training/step_loss.h"

#include <algorithm>
#include <cstdint>
#include <exception>
#include <functional>
#include <thread>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

namespace blip3u {

namespace {

/// Terms of all parts by name.
struct Sum {
  std::string name;
  Tensor sum, count;  // without gradients
  double weight;
};

/// By as many threads as a kernel would have, each of whose kernels has one. (at::parallel_for does so only in code
/// that is compiled against LibTorch's own OpenMP.)
void in_parallel(std::size_t count, const std::function<void(std::size_t)>& work, bool on_cpu) {
  const int threads = at::get_num_threads();
  const std::size_t workers = on_cpu ? std::min(count, static_cast<std::size_t>(threads)) : 1;
  std::vector<std::exception_ptr> faults(count);
  const auto every = [&](std::size_t first) {
    for (std::size_t i = first; i < count; i += workers) {
      try {
        work(i);
      } catch (...) {
        faults[i] = std::current_exception();
      }
    }
  };
  if (workers > 1) at::set_num_threads(1);
  {
    std::vector<std::jthread> others;
    for (std::size_t worker = 1; worker < workers; ++worker) {
      others.emplace_back([&every, worker] {
        at::set_num_threads(1);
        every(worker);
      });
    }
    every(0);
  }
  if (workers > 1) at::set_num_threads(threads);
  for (const std::exception_ptr& fault : faults) {
    if (fault) std::rethrow_exception(fault);
  }
}

Tensor weighted(const std::vector<Term>& terms, const std::vector<Sum>& sums) {
  Tensor total;
  for (const auto& [loss, weight] : terms) {
    const auto all = std::ranges::find(sums, loss.name, &Sum::name);
    const Tensor term = loss.sum / all->count * weight;
    total = total.defined() ? total + term : term;
  }
  return total;
}

}  // namespace

StepLoss work_out(const std::vector<LossPart>& parts, const std::vector<NamedTensor>& weights) {
  const bool on_cpu = weights.empty() || weights.front().value.is_cpu();
  std::vector<std::vector<Term>> terms(parts.size());
  in_parallel(
      parts.size(), [&](std::size_t i) { terms[i] = parts[i](); }, on_cpu);
  std::vector<Sum> sums;
  for (const auto& of_part : terms) {
    for (const auto& [loss, weight] : of_part) {
      const auto known = std::ranges::find(sums, loss.name, &Sum::name);
      if (known == sums.end()) {
        sums.push_back({loss.name, loss.sum.detach(), loss.count.detach(), weight});
      } else {
        known->sum = known->sum + loss.sum.detach();
        known->count = known->count + loss.count.detach();
      }
    }
  }
  std::vector<Tensor> learned;
  for (const NamedTensor& weight : weights) learned.push_back(weight.value);
  std::vector<std::vector<Tensor>> gradients(parts.size());
  const auto backward = [&](std::size_t i) {
    const Tensor total = weighted(terms[i], sums);
    terms[i].clear();
    if (parts.size() == 1 && total.defined()) return total.backward();
    if (!total.defined() || !total.requires_grad()) return;  // words alone, where only pictures are learned
    gradients[i] = torch::autograd::grad({total}, learned, {}, /*retain_graph=*/std::nullopt, /*create_graph=*/false,
                                         /*allow_unused=*/true);
  };
  in_parallel(parts.size(), backward, on_cpu);
  const at::NoGradGuard no_grad;
  for (std::size_t w = 0; w < learned.size(); ++w) {
    Tensor& gradient = learned[w].mutable_grad();
    for (const std::vector<Tensor>& of_part : gradients) {
      if (of_part.empty() || !of_part[w].defined()) continue;
      if (gradient.defined()) {
        gradient.add_(of_part[w]);
      } else {
        gradient = at::empty_like(learned[w]).copy_(of_part[w]);  // laid out as the weight: the optimiser asks for that
      }
    }
  }
  StepLoss result;
  for (const Sum& sum : sums) {
    const double mean = (sum.sum / sum.count).item<double>();
    result.terms.emplace_back(sum.name, mean);
    result.total += mean * sum.weight;
  }
  return result;
}

}  // namespace blip3u
