#include "pipeline/texts.h"

#include <algorithm>

#include <ATen/ops/zeros.h>

namespace blip3u {

TextBatch pad_texts(const std::vector<std::vector<std::int64_t>>& rows, at::Device device) {
  std::size_t longest = 1;
  for (const auto& row : rows) longest = std::max(longest, row.size());
  const auto count = static_cast<std::int64_t>(rows.size());
  const auto length = static_cast<std::int64_t>(longest);
  Tensor ids = at::zeros({count, length}, at::kLong);  // nobody sees what is not valid, so any id fills up
  Tensor valid = at::zeros({count, length}, at::kBool);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::copy(rows[i].begin(), rows[i].end(), ids.data_ptr<std::int64_t>() + i * longest);
    std::fill_n(valid.data_ptr<bool>() + i * longest, rows[i].size(), true);
  }
  return {ids.to(device), valid.to(device)};
}

std::vector<std::int64_t> frame_text(const Tokenizer& tokenizer, const std::string& text) {
  const Tokenizer::Frame frame = tokenizer.frame();
  std::vector<std::int64_t> ids = tokenizer.encode(text);
  if (frame.begin >= 0) ids.insert(ids.begin(), frame.begin);
  ids.push_back(frame.end);
  return ids;
}

std::string fill_template(const std::string& text, const std::string& placeholder, const std::string& value) {
  std::string result = text;
  const std::size_t at = result.find(placeholder);
  if (at != std::string::npos) result.replace(at, placeholder.size(), value);
  return result;
}

}  // namespace blip3u
