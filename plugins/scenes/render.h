// Pictures of scenes.
#pragma once

#include <cstdint>
#include <vector>

#include "blip3u/tensor.h"
#include "scenes/scene.h"

namespace blip3u::scenes {

/// The share of each pixel of a side x side picture that the object covers, row by row, in [0,1]: 5 x 5 points a pixel.
std::vector<float> coverage_of(const Object& object, std::int64_t side);

/// The scene as a picture [3,S,S] uint8 on the CPU, edges antialiased by coverage.
Tensor render(const Scene& scene, std::int64_t side);

}  // namespace blip3u::scenes
