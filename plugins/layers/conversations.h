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

/// What is known of one picture besides its pixels. All texts are UTF-8.
struct Described {
  struct Question {
    std::string text, answer;
  };
  std::string id;
  std::string caption;  ///< empty if unknown
  std::vector<Question> questions;
};

/// Numbers the conversations of pictures: of each its caption, if it is to be made, then its questions; a picture of
/// which nothing is known stands alone.
class ConversationIndex {
 public:
  void add(bool made, std::size_t questions) {
    made_.push_back(made);
    ends_.push_back(size() + std::max<std::int64_t>(1, static_cast<std::int64_t>(questions) + (made ? 1 : 0)));
  }

  std::int64_t size() const { return ends_.empty() ? 0 : ends_.back(); }

  /// Which picture conversation `index` of [0, size) is about, and what it is.
  struct Place {
    std::size_t picture;
    std::int64_t number;  ///< of the question; -1: the caption, and the picture is made
  };
  Place place(std::int64_t index) const {
    const auto picture = static_cast<std::size_t>(std::ranges::upper_bound(ends_, index) - ends_.begin());
    const std::int64_t within = index - (picture == 0 ? 0 : ends_[picture - 1]);
    return {picture, within - (made_[picture] ? 1 : 0)};
  }

 private:
  std::vector<std::int64_t> ends_;
  std::vector<bool> made_;
};

/// The conversation about a picture: a question, the user's picture and text and the assistant's answer; or, with
/// number -1, the user's caption and the assistant's picture.
inline Sample conversation(const Described& described, std::int64_t number, Tensor image) {
  Sample sample;
  sample.id = described.id + (number < 0 ? "#caption" : "#" + std::to_string(number));
  sample.images = {std::move(image)};
  if (!described.caption.empty()) sample.captions = {described.caption};
  sample.labels = {{"image", described.id}};
  if (number < 0) {
    sample.messages = {{Role::user, {text_part(described.caption)}}, {Role::assistant, {image_part(0, 1)}}};
  } else if (number < static_cast<std::int64_t>(described.questions.size())) {
    const auto& [text, answer] = described.questions[static_cast<std::size_t>(number)];
    sample.messages = {{Role::user, {image_part(0), text_part(text)}}, {Role::assistant, {text_part(answer, 1)}}};
  } else {
    sample.messages = {{Role::user, {image_part(0)}}};  // nothing is known of it
  }
  return sample;
}

}  // namespace blip3u::layers
