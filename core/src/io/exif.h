// Which way up a picture is held, as cameras say it in Exif.
#pragma once

#include <cstdint>
#include <string_view>

#include "blip3u/tensor.h"

namespace blip3u {

/// The orientation, 1 to 8, in a block of Exif data (with or without the "Exif" in front); 1, which is upright, if the
/// block has none or is malformed.
std::uint16_t orientation_of(std::string_view exif);

/// A picture [3,H,W] that is stored in this orientation, set upright.
Tensor upright(const Tensor& image, std::uint16_t orientation);

}  // namespace blip3u
