#include "model/messages.h"

#include "pipeline/texts.h"

namespace blip3u {

std::vector<Message> question_messages(const Recipe& recipe, const std::string& question, const std::string& answer) {
  std::vector<Message> messages{
      {Role::user, {image_part(0), text_part(fill_template(recipe.question_template, "{question}", question))}},
      {Role::assistant, {}}};
  if (!answer.empty()) messages.back().content.push_back(text_part(answer, 1));
  return messages;
}

std::vector<Message> prompt_messages(const Recipe& recipe, const std::string& prompt) {
  const std::string text = prompt.empty() ? prompt : fill_template(recipe.prompt_template, "{prompt}", prompt);
  return {{Role::user, {text_part(text)}}, {Role::assistant, {image_part(0, 1)}}};
}

}  // namespace blip3u
