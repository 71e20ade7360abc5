// A conversation as the recipe words it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "blip3u/content.h"
#include "recipe/recipe.h"

namespace blip3u {

/// All that a message says.
BLIP3U_API std::string text_of(const Message& message);

/// The messages with each text of the user put into the recipe's template: `prompt` where the assistant's next message
/// makes a picture or, at the end, is to make one (`draws`), else `question`. Empty texts stay empty.
BLIP3U_API std::vector<Message> in_templates(const Recipe& recipe, std::vector<Message> messages, bool draws = false);

}  // namespace blip3u
