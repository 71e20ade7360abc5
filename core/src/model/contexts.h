// A conversation as each context of guidance tells it.
#pragma once

#include <string>
#include <vector>

#include "blip3u/content.h"
#include "blip3u/guidance.h"

namespace blip3u {

/// What is left of the messages before a picture under a context: all; without what they say, or without the pictures
/// they show; nothing but an empty prompt; or the negative prompt, which is empty where nobody gave one. The pictures
/// that parts name stay the same ones. Training drops contexts by the same function.
BLIP3U_API std::vector<Message> in_context(const std::vector<Message>& messages, Context context,
                                           const std::string& negative);

}  // namespace blip3u
