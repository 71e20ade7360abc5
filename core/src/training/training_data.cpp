#include "training/training_data.h"

#include <iterator>

#include <fmt/format.h>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "io/array_cache.h"
#include "io/interrupt.h"
#include "io/progress.h"

namespace blip3u {

namespace {
constexpr std::int64_t encoding_batch = 64;
}

std::vector<std::int64_t> ShuffledOrder::batch(std::uint64_t seed, std::int64_t size, std::int64_t batch,
                                               std::int64_t step) {
  std::vector<std::int64_t> result;
  for (std::int64_t position = step * batch; position < (step + 1) * batch; ++position) {
    if (position / size != pass_ || seed != seed_ || std::ssize(order_) != size) {
      pass_ = position / size;
      seed_ = seed;
      order_ = shuffled(size, derive_seed(seed, static_cast<std::uint64_t>(pass_)));
    }
    result.push_back(order_[static_cast<std::size_t>(position % size)]);
  }
  return result;
}

Tensor load_images(const Dataset& dataset, Split split, const std::vector<std::int64_t>& indices, at::Device device) {
  std::vector<Tensor> images;
  images.reserve(indices.size());
  for (const std::int64_t index : indices) images.push_back(dataset.image(split, index));
  return at::stack(images).to(device);
}

FeatureTable::FeatureTable(Encoder& encoder, const Dataset& dataset, at::Device device,
                           const std::filesystem::path& cache_folder, const std::string& key)
    : device_(device) {
  ArrayCache cache(cache_folder);
  const bool coded = encoder.layout().codebook > 0;
  const std::string codes_key = key + "-codes";
  const auto stored = cache.load(key), stored_codes = coded ? cache.load(codes_key) : std::nullopt;
  if (stored && (stored_codes || !coded)) {
    if (stored->numel() > 0) features_.x = *stored;
    if (coded) features_.codes = *stored_codes;
    return;
  }
  const at::NoGradGuard no_grad;
  const std::int64_t size = dataset.size(Split::train);
  ProgressBar progress("features of the frozen encoder", size);
  std::vector<Tensor> values, codes;
  for (std::int64_t first = 0; first < size; first += encoding_batch) {
    stop_if_interrupted();
    std::vector<std::int64_t> indices;
    for (std::int64_t i = first; i < std::min(size, first + encoding_batch); ++i) indices.push_back(i);
    const Visual batch = encoder.encode(load_images(dataset, Split::train, indices, device));
    if (batch.x.defined()) values.push_back(batch.x.to(at::kCPU, at::kFloat));
    if (batch.codes.defined()) codes.push_back(batch.codes.to(at::kCPU));
    progress.update(first + static_cast<std::int64_t>(indices.size()), "");
  }
  progress.finish("");
  if (!values.empty()) features_.x = at::cat(values).contiguous();
  if (coded) {
    features_.codes = at::cat(codes).contiguous();
    cache.save(codes_key, features_.codes);
  }
  cache.save(key, features_.x.defined() ? features_.x : at::empty({0}));  // codes need no embedding
}

Visual FeatureTable::rows(const std::vector<std::int64_t>& indices) const {
  const Tensor index = at::tensor(indices, at::kLong);
  Visual result;
  if (features_.x.defined()) result.x = features_.x.index_select(0, index).to(device_);
  if (features_.codes.defined()) result.codes = features_.codes.index_select(0, index).to(device_);
  return result;
}

}  // namespace blip3u
