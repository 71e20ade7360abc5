#include "model/pictures.h"

#include <algorithm>
#include <vector>

#include <ATen/ATen.h>

#include "blip3u/image.h"

namespace blip3u {

bool is_picture(const Tensor& image) {
  return image.defined() && image.dim() == 3 && image.size(0) == 3 && image.numel() > 0 &&
         image.scalar_type() == at::kByte && image.device().is_cpu();
}

Tensor square_pictures(std::span<const Tensor> pictures, std::int64_t size, at::Device device) {
  const auto fits = [&](const Tensor& picture) { return picture.size(1) == size && picture.size(2) == size; };
  if (std::ranges::all_of(pictures, fits))
    return from_bytes(at::stack(at::TensorList(pictures.data(), pictures.size())).to(device));
  std::vector<Tensor> squares;
  squares.reserve(pictures.size());
  for (const Tensor& picture : pictures) {
    const Tensor pixels = from_bytes(picture);
    squares.push_back(fits(picture) ? pixels : resize_image(pixels, size));
  }
  return at::stack(squares).to(device);
}

Visual encode_pictures(Encoder& encoder, std::span<const Tensor> pictures, std::int64_t size, at::Device device) {
  auto* const any_size = dynamic_cast<AnySize*>(&encoder);
  if (any_size == nullptr) return encoder.encode(square_pictures(pictures, size, device));
  std::vector<Tensor> prepared;
  prepared.reserve(pictures.size());
  for (const Tensor& picture : pictures) prepared.push_back(any_size->prepare(picture).to(device));
  return any_size->encode_all(prepared);
}

}  // namespace blip3u
