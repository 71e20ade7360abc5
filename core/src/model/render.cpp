// The layout of conversations for tokenizers without a chat template of their own.
#include "blip3u/tokenizer.h"

namespace blip3u {

std::vector<Span> Tokenizer::render(std::span<const Message> messages, bool open_reply) const {
  const auto [begin, end] = frame();
  const std::int64_t announcement = id_of("image");
  std::vector<Span> spans;
  for (const Message& message : messages) {
    const bool made = message.role == Role::assistant;
    float weight = 0;
    for (const Part& part : message.content) {
      weight = part.weight;
      if (part.type == Part::Type::image) {
        if (made && announcement >= 0) spans.push_back({{announcement}, -1, weight});
        spans.push_back({{}, part.image, weight});
        continue;
      }
      Span span{encode(part.text), -1, weight};
      if (!made) {
        if (begin >= 0) span.ids.insert(span.ids.begin(), begin);
        // It tells that the text is complete, which the words alone do not ("is there a red shape" | "... in the
        // image").
        span.ids.push_back(end);
      }
      if (!span.ids.empty()) spans.push_back(std::move(span));
    }
    if (made && !(open_reply && &message == &messages.back())) spans.push_back({{end}, -1, weight});
  }
  return spans;
}

}  // namespace blip3u
