// Sheets of pictures with labels.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "blip3u/export.h"
#include "blip3u/tensor.h"

namespace blip3u {

struct GridCell {
  Tensor image;       ///< [3,H,W] in [-1,1]
  std::string label;  ///< below the picture; up to two lines, the rest is cut
  bool good = true;   ///< false: the label is red
};

/// A PNG with the pictures in rows, each pixel enlarged to scale x scale. Says so if the last rows are left out because
/// the sheet would be higher than Cairo can draw.
BLIP3U_API std::string draw_grid(const std::vector<GridCell>& cells, int columns, int scale);
BLIP3U_API void draw_grid(const std::filesystem::path& path, const std::vector<GridCell>& cells, int columns,
                          int scale);

}  // namespace blip3u
