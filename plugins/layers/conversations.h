// Pictures with captions and questions as conversations.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "blip3u/content.h"

namespace blip3u::layers {

/// A picture to be made: the user's caption, the assistant's picture.
inline Sample caption_conversation(const std::string& id, const std::string& caption, Tensor image) {
  Sample sample;
  sample.id = id + "#caption";
  sample.messages = {{Role::user, {text_part(caption)}}, {Role::assistant, {image_part(0, 1)}}};
  sample.images = {std::move(image)};
  sample.captions = {caption};
  return sample;
}

/// A question about a picture: the user's picture and text, the assistant's text. The caption may be empty.
inline Sample question_conversation(const std::string& id, std::size_t number, const std::string& question,
                                    const std::string& answer, const std::string& caption, Tensor image) {
  Sample sample;
  sample.id = id + "#" + std::to_string(number);
  sample.messages = {{Role::user, {image_part(0), text_part(question)}}, {Role::assistant, {text_part(answer, 1)}}};
  sample.images = {std::move(image)};
  if (!caption.empty()) sample.captions = {caption};
  return sample;
}

/// Numbers the conversations of pictures that have several: caption first where there is one, then questions.
class ConversationIndex {
 public:
  struct Place {
    std::size_t picture;
    bool is_caption;
    std::size_t question;
  };

  void add(bool caption, std::size_t questions) {
    captioned_.push_back(caption);
    ends_.push_back(size() + static_cast<std::int64_t>(questions) + (caption ? 1 : 0));
  }

  std::int64_t size() const { return ends_.empty() ? 0 : ends_.back(); }

  /// Of conversation `index` of [0, size).
  Place place(std::int64_t index) const {
    const auto picture = static_cast<std::size_t>(std::ranges::upper_bound(ends_, index) - ends_.begin());
    const auto within = static_cast<std::size_t>(index - (picture == 0 ? 0 : ends_[picture - 1]));
    const bool captioned = captioned_[picture];
    return {picture, captioned && within == 0, within - (captioned && within > 0 ? 1 : 0)};
  }

 private:
  std::vector<std::int64_t> ends_;
  std::vector<bool> captioned_;
};

}  // namespace blip3u::layers
