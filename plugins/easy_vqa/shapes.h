// The exact scorer of pictures that show one coloured shape on a pale ground, in the manner of easy-vqa.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "blip3u/tensor.h"
#include "easy_vqa/captions.h"

namespace blip3u::easy_vqa {

struct ColouredShape {
  std::size_t colour = 0;  ///< in colours
  std::size_t shape = 0;   ///< in shapes
  bool operator==(const ColouredShape&) const = default;
};

/// "red triangle"
std::string to_text(const ColouredShape&);

/// The one colour and the one shape that a text names ("a red triangle"); nothing if it names none or several.
std::optional<ColouredShape> parse_coloured_shape(std::string_view text);

enum class ShapeProtocol {
  fill_ratio,  ///< shapes@1: the reference for real pictures; it always names a shape if anything is in the picture
  coverage,    ///< shapes@2: one connected object whose outline, blurred or not, fits a shape; else it says why not
};
const char* protocol_name(ShapeProtocol);
/// Throws Error on an unknown name.
ShapeProtocol shape_protocol(std::string_view name);

struct ShapeReading {
  std::optional<ColouredShape> found;
  std::string reason;  ///< why nothing was found
};

/// Reads image [3,H,W] float32 in [-1,1] on the CPU.
ShapeReading read_shape(const Tensor& image, ShapeProtocol protocol);

}  // namespace blip3u::easy_vqa
