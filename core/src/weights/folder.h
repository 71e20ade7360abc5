// The weights of a folder.
#pragma once

#include <filesystem>
#include <memory>

#include "blip3u/weights.h"

namespace blip3u {

/// Maps `model.safetensors` or the shards that `model.safetensors.index.json` names; in a folder of diffusers
/// `diffusion_pytorch_model` instead of `model`. Throws Error naming the file and every tensor that the index names in
/// vain, that two shards hold, or that a shard holds beside the index.
BLIP3U_API std::unique_ptr<Weights> open_weights(const std::filesystem::path& folder);

}  // namespace blip3u
