// Questions and prompts as conversations, by the templates of a recipe.
#pragma once

#include <string>
#include <vector>

#include "blip3u/content.h"
#include "recipe/recipe.h"

namespace blip3u {

/// The question about image 0 and its answer, which is learned, or left out if empty.
BLIP3U_API std::vector<Message> question_messages(const Recipe& recipe, const std::string& question,
                                                  const std::string& answer);

/// The prompt, and image 0 as what the assistant makes of it. The empty prompt stands for none.
BLIP3U_API std::vector<Message> prompt_messages(const Recipe& recipe, const std::string& prompt);

}  // namespace blip3u
