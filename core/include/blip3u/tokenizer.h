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

  /// The same for every tokenizer. Encoded text contains none of these but `unknown`.
  static constexpr std::int64_t pad = 0, begin = 1, end = 2, unknown = 3, first_free = 4;

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
