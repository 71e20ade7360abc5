#include "pipeline/texts.h"

#include <algorithm>
#include <iterator>

#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include "blip3u/error.h"

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
  const bool padded = std::ranges::any_of(rows, [&](const auto& row) { return row.size() < longest; });
  return {ids.to(device), padded ? valid.to(device) : Tensor()};
}

std::vector<std::int64_t> frame_text(const Tokenizer& tokenizer, const std::string& text) {
  const Tokenizer::Frame frame = tokenizer.frame();
  std::vector<std::int64_t> ids = tokenizer.encode(text);
  if (frame.begin >= 0) ids.insert(ids.begin(), frame.begin);
  ids.push_back(frame.end);
  if (std::ssize(ids) > longest_text) {
    throw Error(Fault::usage, fmt::format("a text of {} tokens is too long: {} fit, its beginning and end included; "
                                          "shorten it",
                                          ids.size(), longest_text));
  }
  return ids;
}

std::string fill_template(const std::string& text, const std::string& placeholder, const std::string& value) {
  std::string result = text;
  const std::size_t at = result.find(placeholder);
  if (at != std::string::npos) result.replace(at, placeholder.size(), value);
  return result;
}

}  // namespace blip3u
