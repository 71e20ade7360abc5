// Pictures of one coloured shape, drawn by the rules of the conformance kit, which knows nothing of the scorers.
#pragma once

#include "../../registry/conformance/src/drawing.h"
#include "easy_vqa/shapes.h"

namespace blip3u::easy_vqa {

/// As conformance::Drawing.
struct Drawing {
  ColouredShape what;
  double centre_x, centre_y, width, height;
};

inline at::Tensor draw(const Drawing& drawing, std::int64_t size = 64) {
  const auto& [what, centre_x, centre_y, width, height] = drawing;
  return conformance::draw({what.colour, what.shape, centre_x, centre_y, width, height}, size);
}

/// A picture of easy-vqa's usual size and place.
inline at::Tensor draw(const ColouredShape& what) { return conformance::draw({what.colour, what.shape}); }

}  // namespace blip3u::easy_vqa
