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
  std::vector<std::string> captions;  ///< none if none is known
  std::vector<Question> questions;
};

/// Numbers the conversations of pictures: of each its captions, from which it is to be made, then its questions; a
/// picture of which nothing is known stands alone.
class ConversationIndex {
 public:
  void add(std::size_t captions, std::size_t questions) {
    captions_.push_back(static_cast<std::int64_t>(captions));
    ends_.push_back(size() + static_cast<std::int64_t>(std::max<std::size_t>(1, captions + questions)));
  }

  std::int64_t size() const { return ends_.empty() ? 0 : ends_.back(); }

  /// Which picture conversation `index` of [0, size) is about, and what it is.
  struct Place {
    std::size_t picture;
    bool made;           ///< from a caption, else a question is asked
    std::size_t number;  ///< of the caption or question
  };
  Place place(std::int64_t index) const {
    const auto picture = static_cast<std::size_t>(std::ranges::upper_bound(ends_, index) - ends_.begin());
    const std::int64_t within = index - (picture == 0 ? 0 : ends_[picture - 1]), captions = captions_[picture];
    return {picture, within < captions, static_cast<std::size_t>(within < captions ? within : within - captions)};
  }

 private:
  std::vector<std::int64_t> ends_, captions_;
};

/// The conversation at a place about a picture: the user's caption and the assistant's picture; or a question, the
/// user's picture and text and the assistant's answer.
inline Sample conversation(const Described& described, const ConversationIndex::Place& place, Tensor image) {
  const auto& [id, captions, questions] = described;
  Sample sample;
  sample.id = id + (place.made ? "#caption" : "#");
  if (!place.made || place.number > 0) sample.id += std::to_string(place.number);
  sample.images = {std::move(image)};
  if (!captions.empty()) sample.captions = {captions[place.made ? place.number : 0]};
  sample.labels = {{"image", id}};
  if (place.made) {
    sample.messages = {{Role::user, {text_part(captions[place.number])}}, {Role::assistant, {image_part(0, 1)}}};
  } else if (place.number < questions.size()) {
    const auto& [text, answer] = questions[place.number];
    sample.messages = {{Role::user, {image_part(0), text_part(text)}}, {Role::assistant, {text_part(answer, 1)}}};
  } else {
    sample.messages = {{Role::user, {image_part(0)}}};  // nothing is known of it
  }
  return sample;
}

}  // namespace blip3u::layers
