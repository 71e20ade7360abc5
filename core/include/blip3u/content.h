// The one unit of data, training and inference: a conversation of texts and pictures.
//
// A caption, a question, a prompt, an edit, reasoning before a picture, a dialogue and plain text are conversations of
// different shape. Names follow the chat formats of the field: messages with a role and content parts.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "blip3u/export.h"
#include "blip3u/tensor.h"

namespace blip3u {

/// A text, or the place of a picture.
struct Part {
  enum class Type { text, image };
  Type type = Type::text;
  std::string text;         ///< of a text, UTF-8
  std::int64_t image = -1;  ///< of a picture: its index in the images that go with the messages
  float weight = 0;         ///< of its loss in training: 0 is context that is read and not learned
};

inline Part text_part(std::string text, float weight = 0) { return {Part::Type::text, std::move(text), -1, weight}; }
inline Part image_part(std::int64_t image, float weight = 0) { return {Part::Type::image, {}, image, weight}; }

enum class Role { system, user, assistant };

struct Message {
  Role role = Role::user;
  std::vector<Part> content;
};

/// One training or test item. Owns everything in it; images may share storage with their reader's cache and are not to
/// be written to.
struct Sample {
  std::string id;                     ///< unique within the data set, for people and for resuming
  std::vector<Message> messages;      ///< at least one; what has weight must be the assistant's
  std::vector<Tensor> images;         ///< [3,H,W] uint8 on the CPU, of any size; none or many
  std::vector<std::string> captions;  ///< of images, by the same index, for encoders that learn from them; may be empty
  std::vector<std::pair<std::string, std::string>> labels;  ///< what is known besides: class, kind of edit, ...
};

/// An empty string if the sample keeps what is said above (roles, indices, UTF-8, weights, shapes), else what is wrong.
BLIP3U_API std::string problem_of(const Sample& sample);

}  // namespace blip3u
