#include "model/messages.h"

#include <algorithm>

#include "pipeline/texts.h"

namespace blip3u {

std::string text_of(const Message& message) {
  std::string text;
  for (const Part& part : message.content) {
    if (part.type == Part::Type::text) text += part.text;
  }
  return text;
}

std::vector<Message> in_templates(const Recipe& recipe, std::vector<Message> messages, bool draws) {
  for (auto message = messages.rbegin(); message != messages.rend(); ++message) {  // the reply decides what was asked
    if (message->role == Role::assistant) {
      draws = std::ranges::any_of(message->content, [](const Part& part) { return part.type == Part::Type::image; }) ||
              (message == messages.rbegin() && draws);
    }
    if (message->role != Role::user) continue;
    for (Part& part : message->content) {
      if (part.type != Part::Type::text || part.text.empty()) continue;
      part.text = draws ? fill_template(recipe.prompt_template, "{prompt}", part.text)
                        : fill_template(recipe.question_template, "{question}", part.text);
    }
  }
  return messages;
}

}  // namespace blip3u
