// Reads pictures of scenes, exactly or not at all: what an evaluation of drawn pictures stands on. It knows the palette
// and the renderer's masks, and no network.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "blip3u/tensor.h"
#include "scenes/scene.h"

namespace blip3u::scenes {

/// What a picture was seen to hold.
struct Reading {
  std::optional<std::size_t> mood = {};  ///< nothing where the ground is none of the three; then nothing else is read
  std::vector<Object> objects = {};      ///< that were read
  std::vector<std::string> reasons =
      {};  ///< what was not: "something red at 0.25 0.50 that overlaps a small star by 0.70"

  bool clear() const { return mood.has_value() && reasons.empty(); }
  std::optional<Scene> scene() const;  ///< nothing unless it is clear
  std::string text() const;            ///< for people: the scene as to_text() has it, then the reasons
};

/// Reads a picture [3,S,S], uint8 or float32 in [-1,1], of 32 to 64 pixels a side. Each pixel is a mixture of the
/// ground and a colour of the palette, or unclear; connected pixels of one colour are an object, whose shape and size
/// are those of the renderer's mask that overlaps it best, if it does so well and clearly better than all others.
/// Throws Error for a tensor of another shape.
Reading read_scene(const Tensor& picture);

}  // namespace blip3u::scenes
