// Pictures on their way to an encoder.
#pragma once

#include <cstdint>
#include <span>

#include <c10/core/Device.h>

#include "blip3u/encoder.h"
#include "blip3u/export.h"
#include "blip3u/visual.h"

namespace blip3u {

/// Whether it is a picture as samples and items hold it: [3,H,W] uint8 on the CPU, with a pixel at least.
BLIP3U_API bool is_picture(const Tensor& image);

/// [B,3,S,S] float32 in [-1,1] on the device, of pictures [3,H,W] uint8 on the CPU: the central square of each.
BLIP3U_API Tensor square_pictures(std::span<const Tensor> pictures, std::int64_t size, at::Device device);

/// What the encoder makes of pictures [3,H,W] uint8 on the CPU, by its own rules if it takes pictures of any size.
BLIP3U_API Visual encode_pictures(Encoder& encoder, std::span<const Tensor> pictures, std::int64_t size,
                                  at::Device device);

}  // namespace blip3u
