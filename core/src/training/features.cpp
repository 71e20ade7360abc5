#include "training/features.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "io/hash.h"
#include "model/pictures.h"

namespace blip3u {

namespace {

constexpr std::int64_t most_bytes = std::int64_t{1} << 30;

std::string key_of(const Tensor& picture) {
  Sha256 hash;
  hash.update(picture);
  return fmt::format("{}x{} {}", picture.size(1), picture.size(2), hash.hex());
}

std::int64_t bytes_of(const FeatureRow& row) {
  return static_cast<std::int64_t>((row.x.defined() ? row.x.nbytes() : 0) +
                                   (row.codes.defined() ? row.codes.nbytes() : 0));
}

}  // namespace

Features::Features(Encoder& encoder, std::int64_t image_size, at::Device device,
                   const std::optional<std::filesystem::path>& folder, bool keeps)
    : encoder_(encoder), image_size_(image_size), device_(device), folder_(folder), keeps_(keeps) {}

const FeatureRow& Features::row(const Tensor& picture) {
  if (folder_ && !stored_) stored_.emplace(*folder_);
  const std::string key = key_of(picture);
  if (const auto known = kept_.find(key); known != kept_.end()) return known->second;
  FeatureRow row;
  if (stored_ && stored_->holds(key)) {
    row = stored_->row(key);
  } else {
    const Visual visual = encode_pictures(encoder_, {&picture, 1}, image_size_, device_);
    if (visual.x.defined()) row.x = visual.x[0].to(at::kCPU, at::kFloat);
    if (visual.codes.defined()) row.codes = visual.codes[0].to(at::kCPU);
    if (stored_) stored_->add(key, row);
  }
  if (kept_bytes_ + bytes_of(row) > most_bytes) return latest_ = std::move(row);
  kept_bytes_ += bytes_of(row);
  return kept_.emplace(key, std::move(row)).first->second;
}

Visual Features::of(std::span<const Tensor> pictures) {
  const at::NoGradGuard no_grad;
  if (pictures.empty()) return {};
  if (!keeps_ || encoder_.layout().ragged) return encode_pictures(encoder_, pictures, image_size_, device_);
  const std::lock_guard lock(kept_mutex_);
  std::vector<Tensor> x, codes;
  for (const Tensor& picture : pictures) {
    const FeatureRow& found = row(picture);
    if (found.x.defined()) x.push_back(found.x);
    if (found.codes.defined()) codes.push_back(found.codes);
  }
  Visual visual;
  if (!x.empty()) visual.x = at::stack(x).to(device_);
  if (!codes.empty()) visual.codes = at::stack(codes).to(device_);
  return visual;
}

void Features::flush() {
  if (stored_) stored_->flush();
}

}  // namespace blip3u
