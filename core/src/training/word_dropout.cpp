#include "training/word_dropout.h"

#include <algorithm>
#include <cstdint>
#include <sstream>

#include <ATen/core/Tensor.h>

namespace blip3u {

namespace {

/// `draws` are uniform numbers, one for each word that can be left out.
std::string thin(const std::string& text, double probability, const float* draws, std::int64_t count) {
  std::vector<std::string> words;
  std::istringstream stream(text);
  for (std::string word; stream >> word;) words.push_back(std::move(word));
  const auto droppable = std::min(count, static_cast<std::int64_t>(words.size()));
  const auto last_to_go = std::max_element(draws, draws + droppable) - draws;  // stays if all words would go
  std::string left;
  for (std::size_t place = 0; place < words.size(); ++place) {
    const auto at = static_cast<std::int64_t>(place);
    const bool alone = at == last_to_go && words.size() == static_cast<std::size_t>(droppable);
    if (at < count && draws[at] < probability && !alone) continue;
    left += (left.empty() ? "" : " ") + words[place];
  }
  return left;
}

}  // namespace

void drop_words(std::vector<std::string>& texts, double probability, Generator& generator) {
  constexpr std::int64_t most_words = 64;
  const Tensor draws = generator.uniform({most_words}, at::kCPU);
  const float* draw = draws.const_data_ptr<float>();
  for (std::string& text : texts) {
    text = thin(text, probability, draw, most_words);
    draw += most_words;
  }
}

}  // namespace blip3u
