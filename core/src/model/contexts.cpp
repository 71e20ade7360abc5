#include "model/contexts.h"

namespace blip3u {

namespace {

std::vector<Message> without(const std::vector<Message>& messages, Part::Type type) {
  std::vector<Message> result;
  for (const Message& message : messages) {
    Message left{message.role, {}};
    for (const Part& part : message.content) {
      if (part.type != type || part.weight > 0) left.content.push_back(part);
    }
    if (!left.content.empty()) result.push_back(std::move(left));
  }
  return result;
}

/// The prompt alone, and what is to be made.
std::vector<Message> prompt_alone(const std::vector<Message>& messages, const std::string& prompt) {
  std::vector<Message> result{{Role::user, {text_part(prompt)}}};
  Message made{Role::assistant, {}};
  for (const Message& message : messages) {
    for (const Part& part : message.content) {
      if (part.type == Part::Type::image && part.weight > 0) made.content = {part};
    }
  }
  if (!made.content.empty()) result.push_back(std::move(made));
  return result;
}

}  // namespace

std::vector<Message> in_context(const std::vector<Message>& messages, Context context, const std::string& negative) {
  switch (context) {
    case Context::whole: return messages;
    case Context::no_text: return without(messages, Part::Type::text);
    case Context::no_image: return without(messages, Part::Type::image);
    case Context::nothing: return prompt_alone(messages, "");
    case Context::negative: return prompt_alone(messages, negative);
  }
  return messages;
}

}  // namespace blip3u
