// tokenizer: text <-> ids.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "blip3u/component.h"

namespace blip3u {

class BLIP3U_API Tokenizer : public Component {
 public:
  ~Tokenizer() override;

  /// The ids that frame a text; encoded text contains neither. A tokenizer that brings its vocabulary has its own.
  struct Frame {
    std::int64_t begin = 1;  ///< before every text; negative: nothing is
    std::int64_t end = 2;    ///< after every text and every answer
  };
  virtual Frame frame() const { return {}; }

  /// Learns the vocabulary from the training texts. Does nothing for a tokenizer that brings its own.
  virtual void fit(const std::vector<std::string>& /*texts*/) {}

  /// The vocabulary as text (stored in the run directory), and back. restore throws Error on a damaged one.
  virtual std::string serialize() const = 0;
  virtual void restore(const std::string& serialized) = 0;

  virtual std::int64_t vocabulary() const = 0;
  virtual std::vector<std::int64_t> encode(std::string_view text) const = 0;
  virtual std::string decode(const std::vector<std::int64_t>& ids) const = 0;
};

}  // namespace blip3u
