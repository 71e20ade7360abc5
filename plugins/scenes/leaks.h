// Held-out things stay out of training: every sample is searched for them when it is made.
#pragma once

#include <string>
#include <string_view>

#include "scenes/conversations.h"

namespace blip3u::scenes {

/// The first thing that a scene holds though it is held out; empty if there is none. `drawn`: by the assistant.
std::string leak_in(const Scene& scene, bool drawn, const HeldOut& held_out);

/// The first that a text names: a colour right before a shape, a shape in some relation to the next.
std::string leak_in(std::string_view text, const HeldOut& held_out);

}  // namespace blip3u::scenes
