// tokenizer: text <-> ids.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "blip3u/component.h"
#include "blip3u/content.h"

namespace blip3u {

/// A stretch of a conversation as the backbone reads it: ids, or the place of a picture.
struct Span {
  std::vector<std::int64_t> ids;  ///< of text; empty for a picture
  std::int64_t image = -1;        ///< of a picture: Part::image
  float weight = 0;               ///< of its loss in training
};

class BLIP3U_API Tokenizer : public Component {
 public:
  ~Tokenizer() override;

  /// The ids that frame a text; encoded text contains neither. A tokenizer that brings its vocabulary has its own.
  struct Frame {
    std::int64_t begin = 1;  ///< before every text; negative: nothing is
    std::int64_t end = 2;    ///< after every text and every answer
  };
  virtual Frame frame() const { return {}; }

  /// The vocabulary as text (stored in the run directory), and back. restore throws Error on a damaged one.
  virtual std::string serialize() const = 0;
  virtual void restore(const std::string& serialized) = 0;

  virtual std::int64_t vocabulary() const = 0;
  virtual std::vector<std::int64_t> encode(std::string_view text) const = 0;

  /// The text of ids, without those that frame or control. May end inside a character of UTF-8 where the ids do.
  virtual std::string decode(const std::vector<std::int64_t>& ids) const = 0;

  /// What the backbone reads of a conversation: words and pictures in the order of the messages. With `open_reply` the
  /// assistant's message is not closed if it is the last, so that words can follow.
  ///
  /// The default is for tokenizers without a chat template: a text that is read is begin, words, end; the assistant's
  /// message is its words and pictures, then end, which has the weight of the last part. A picture that the assistant
  /// makes follows id_of("image"), if there is one, which has the picture's weight. Roles are not told.
  virtual std::vector<Span> render(std::span<const Message> messages, bool open_reply) const;

  /// The ids of which any ends a reply.
  virtual std::vector<std::int64_t> stops() const { return {frame().end}; }

  /// The id of a control word: "image" announces a picture that the assistant makes. -1: there is none.
  virtual std::int64_t id_of(std::string_view /*control*/) const { return -1; }
};

/// A mixin of tokenizers that do not bring their vocabulary.
class BLIP3U_API LearnsVocabulary {
 public:
  virtual ~LearnsVocabulary();

  /// Learns it from the training texts, each as often as it occurs.
  virtual void fit(const std::vector<std::string>& texts) = 0;
};

}  // namespace blip3u
