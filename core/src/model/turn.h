// A reply in the making.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "blip3u/random.h"
#include "blip3u/request.h"
#include "blip3u/utf8.h"

namespace blip3u {

/// The bytes of `text` up to the last whole character.
inline std::size_t whole_characters(const std::string& text) {
  std::size_t first = text.size();
  while (first > 0 && !begins_character(text[first - 1])) --first;
  if (first == 0) return 0;
  const std::string last = text.substr(first - 1);
  return first_not_utf8(last) == std::string::npos ? text.size() : first - 1;
}

/// One request and what there is of its reply.
struct Turn {
  const Request* request = nullptr;
  std::size_t index = 0;
  std::vector<std::int64_t> images;  // places of the request's pictures among those that the encoder saw
  Generator words;
  Reply reply{{Role::assistant, {}}, {}, Reply::End::stop};
  std::vector<std::int64_t> ids;  // of the text being written
  std::string text;               // of those ids
  std::size_t told = 0;           // bytes of it
  std::int64_t tokens = 0;        // of the whole reply
  bool done = false;

  /// The conversation so far, and a picture to be made next.
  std::vector<Message> before_picture() const {
    std::vector<Message> messages = request->messages;
    if (messages.empty() || messages.back().role != Role::assistant) messages.push_back({Role::assistant, {}});
    auto& content = messages.back().content;
    content.insert(content.end(), reply.message.content.begin(), reply.message.content.end());
    content.push_back(image_part(static_cast<std::int64_t>(request->images.size() + reply.images.size()), 1));
    return messages;
  }
};

}  // namespace blip3u
