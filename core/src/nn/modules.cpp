#include "blip3u/nn/modules.h"

#include <ATen/ops/conv2d.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>

#include "blip3u/nn/rms_norm.h"

namespace blip3u::nn {

void Deferred::declare(Tensor& member, std::string name, at::IntArrayRef shape, Draw draw) {
  member = register_parameter(name, at::empty(shape, at::TensorOptions(at::kMeta).dtype(at::kFloat)));
  slots_.push_back({std::move(name), &member, draw});
}

void Deferred::fill(const Slot& slot, const Tensor& value) {
  Tensor weight = value.detach();
  weight.set_requires_grad(weight.is_floating_point());
  *slot.tensor = weight;
  parameters_[slot.name] = std::move(weight);
}

LinearImpl::LinearImpl(std::int64_t in, std::int64_t out, bool with_bias) {
  declare(weight, "weight", {out, in}, Draw::glorot);
  if (with_bias) declare(bias, "bias", {out}, Draw::zeros);
}
Tensor LinearImpl::forward(const Tensor& x) const { return at::linear(x, weight, bias); }

Conv2dImpl::Conv2dImpl(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride,
                       std::int64_t padding, bool with_bias)
    : stride_(stride), padding_(padding) {
  declare(weight, "weight", {out, in, kernel, kernel}, Draw::fan_in);
  if (with_bias) declare(bias, "bias", {out}, Draw::zeros);
}
Tensor Conv2dImpl::forward(const Tensor& x) const { return at::conv2d(x, weight, bias, stride_, padding_); }

EmbeddingImpl::EmbeddingImpl(std::int64_t rows, std::int64_t width) {
  declare(weight, "weight", {rows, width}, Draw::table);
}
Tensor EmbeddingImpl::forward(const Tensor& ids) const { return at::embedding(weight, ids); }

RMSNormImpl::RMSNormImpl(std::int64_t width, double epsilon) : epsilon_(epsilon) {
  declare(weight, "weight", {width}, Draw::ones);
}
Tensor RMSNormImpl::forward(const Tensor& x) const { return rms_norm(x, weight, epsilon_); }

LayerNormImpl::LayerNormImpl(std::int64_t width, double epsilon) : epsilon_(epsilon) {
  declare(weight, "weight", {width}, Draw::ones);
  declare(bias, "bias", {width}, Draw::zeros);
}
Tensor LayerNormImpl::forward(const Tensor& x) const {
  return at::layer_norm(x, weight.sizes(), weight, bias, epsilon_);
}

}  // namespace blip3u::nn
