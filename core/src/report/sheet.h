// Sheets of pictures.
#pragma once

#include <cstdint>
#include <vector>

#include "blip3u/export.h"
#include "blip3u/tensor.h"

namespace blip3u {

/// Where a picture lies on its sheet, in pixels.
struct Box {
  std::int64_t x = 0, y = 0, width = 0, height = 0;
};

struct Sheet {
  Tensor image;            ///< [3,H,W] float32 in [-1,1] on the CPU, white between the pictures
  std::vector<Box> boxes;  ///< of the pictures, in their order; fewer where the last did not fit
};

/// Lays pictures [3,H,W] in [-1,1] out in rows, pixel by pixel, in cells as large as the largest. Says so if the last
/// rows are left out because the sheet would be higher than `read_image` reads. Throws Error for anything else.
BLIP3U_API Sheet lay_out(const std::vector<Tensor>& pictures, std::int64_t columns);

}  // namespace blip3u
