// The parts of a pipeline so small that it learns nothing, as a recipe names them.
#pragma once

namespace blip3u::testing {

inline constexpr const char* tiny_parts = R"(
  encoder: {plugin: clip, grid: 2, width: 16, layers: 1, heads: 2, feature_width: 8, embedding_width: 8,
            pooling_width: 8, text_width: 8, text_heads: 2, reconstruction_width: 16, reconstruction_heads: 2}
  backbone: {plugin: gpt, width: 16, layers: 1, heads: 2, kv_heads: 1, hidden: 16}
  denoiser: {plugin: dit, width: 16, layers: 1, heads: 2, queries: 2}
  decoder: {plugin: unclip, width: 16, layers: 1, heads: 2, steps: 2}
)";

}  // namespace blip3u::testing
