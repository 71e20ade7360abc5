// From strings to padded token ids.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <c10/core/Device.h>

#include "blip3u/tokenizer.h"
#include "blip3u/visual.h"

namespace blip3u {

/// Rows of ids, padded on the right; `valid` is undefined if none is, which is faster. An empty row has no valid token.
BLIP3U_API TextBatch pad_texts(const std::vector<std::vector<std::int64_t>>& rows, at::Device device);

/// Tokens of one text at most: attention takes memory by the square of the length.
inline constexpr std::int64_t longest_text = 4096;

/// What the backbone reads of one text: begin, the words, end. The end tells it that the text is complete, which the
/// words alone do not ("is there a red shape" | "... in the image"). Throws Error if the text has more than
/// `longest_text`.
BLIP3U_API std::vector<std::int64_t> frame_text(const Tokenizer& tokenizer, const std::string& text);

/// Replaces `placeholder` in a template.
BLIP3U_API std::string fill_template(const std::string& text, const std::string& placeholder, const std::string& value);

}  // namespace blip3u
