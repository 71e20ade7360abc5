#include "blip3u/module_component.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>
#include <torch/utils.h>

#include <cmath>

#include "blip3u/nn/modules.h"
#include "blip3u/random.h"

namespace blip3u {

namespace {

/// Fills through a float32 draw on the CPU, so that the values do not depend on the parameter's device or type.
template <class Draw>
void fill(const Tensor& parameter, std::uint64_t seed, const std::string& name, Draw draw) {
  Tensor values = at::empty(parameter.sizes(), at::TensorOptions(at::kCPU).dtype(at::kFloat));
  at::Generator stream = at::detail::createCPUGenerator(derive_seed(seed, name));
  draw(values, stream);
  parameter.copy_(values);
}

double glorot_bound(const Tensor& weight) {  // Glorot & Bengio 2010
  return std::sqrt(6 / static_cast<double>(weight.size(0) + weight.size(1)));
}

/// Weight uniform in +-bound, bias zero.
void fill_affine(const Tensor& weight, const Tensor& bias, double bound, std::uint64_t seed,
                 const std::string& prefix) {
  fill(weight, seed, prefix + "weight",
       [&](Tensor& values, at::Generator& stream) { values.uniform_(-bound, bound, stream); });
  if (bias.defined()) bias.zero_();
}

void fill_table(const Tensor& table, std::uint64_t seed, const std::string& name) {
  fill(table, seed, name, [](Tensor& values, at::Generator& stream) { values.normal_(0, 0.02, stream); });
}

/// 1/sqrt(fan_in), where fan_in counts the inputs that one output value sees.
double fan_in_bound(double fan_in) { return 1 / std::sqrt(fan_in); }

double inputs_per_row(const Tensor& weight) {
  return static_cast<double>(weight.numel()) / static_cast<double>(weight.size(0));
}

void draw_deferred(nn::Deferred& module, std::uint64_t seed, const std::string& prefix) {
  for (const nn::Deferred::Slot& slot : module.slots()) {
    const Tensor& shape = *slot.tensor;
    const Tensor value = at::empty(shape.sizes(), at::TensorOptions(at::kCPU).dtype(at::kFloat));
    const auto uniform = [&](double bound) {
      fill(value, seed, prefix + slot.name,
           [&](Tensor& values, at::Generator& stream) { values.uniform_(-bound, bound, stream); });
    };
    switch (slot.draw) {
      case nn::Draw::glorot: uniform(glorot_bound(shape)); break;
      case nn::Draw::fan_in: uniform(fan_in_bound(inputs_per_row(shape))); break;
      case nn::Draw::table: fill_table(value, seed, prefix + slot.name); break;
      case nn::Draw::ones: value.fill_(1); break;
      case nn::Draw::zeros: value.zero_(); break;
    }
    module.fill(slot, value);
  }
}

void initialize_module(torch::nn::Module& module, std::uint64_t seed, const std::string& name) {
  const std::string prefix = name.empty() ? "" : name + ".";
  if (auto* linear = module.as<torch::nn::LinearImpl>()) {
    fill_affine(linear->weight, linear->bias, glorot_bound(linear->weight), seed, prefix);
  } else if (auto* conv1d = module.as<torch::nn::Conv1dImpl>()) {
    fill_affine(conv1d->weight, conv1d->bias, fan_in_bound(inputs_per_row(conv1d->weight)), seed, prefix);
  } else if (auto* conv2d = module.as<torch::nn::Conv2dImpl>()) {
    fill_affine(conv2d->weight, conv2d->bias, fan_in_bound(inputs_per_row(conv2d->weight)), seed, prefix);
  } else if (auto* transposed = module.as<torch::nn::ConvTranspose2dImpl>()) {
    // Weight is [in, out/groups, kh, kw]; with a stride, only a part of the kernel meets one output pixel.
    const auto& options = transposed->options;
    const double steps = static_cast<double>(options.stride()->at(0) * options.stride()->at(1));
    const double kernel = static_cast<double>(options.kernel_size()->at(0) * options.kernel_size()->at(1));
    const double channels = static_cast<double>(options.in_channels()) / static_cast<double>(options.groups());
    fill_affine(transposed->weight, transposed->bias, fan_in_bound(std::max(1.0, channels * kernel / steps)), seed,
                prefix);
  } else if (auto* embedding = module.as<torch::nn::EmbeddingImpl>()) {
    fill_table(embedding->weight, seed, prefix + "weight");
  } else if (auto* deferred = dynamic_cast<nn::Deferred*>(&module)) {
    draw_deferred(*deferred, seed, prefix);
  }
}

}  // namespace

void initialize_weights(torch::nn::Module& root, std::uint64_t seed) {
  const torch::NoGradGuard no_grad;
  initialize_module(root, seed, "");
  // The root may be owned by a unique_ptr, which cannot be listed among the shared modules.
  for (const auto& item : root.named_modules("", /*include_self=*/false)) {
    initialize_module(*item.value(), seed, item.key());
  }
}

Tensor learned_table(at::IntArrayRef shape, double deviation, std::uint64_t seed, std::string_view name) {
  at::Generator stream = at::detail::createCPUGenerator(derive_seed(seed, name));
  return at::empty(shape, at::TensorOptions(at::kCPU).dtype(at::kFloat)).normal_(0, deviation, stream);
}

}  // namespace blip3u
