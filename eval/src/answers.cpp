#include "eval/answers.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace blip3u::eval {

std::string plain_answer(std::string_view answer) {
  std::string result;
  bool gap = false;
  for (const char raw : answer) {
    const auto character = static_cast<unsigned char>(raw);
    if (std::isspace(character) != 0) {
      gap = !result.empty();
    } else if (std::ispunct(character) == 0) {
      if (std::exchange(gap, false)) result += ' ';
      result += static_cast<char>(std::tolower(character));
    }
  }
  return result;
}

std::string AnswerCounts::most_frequent() const {
  const auto best = std::ranges::max_element(counts_, {}, [](const auto& entry) { return entry.second; });
  return best == counts_.end() ? std::string() : best->first;
}

std::vector<ItemRecord> answer_records(const Item& item, std::span<const Output> outputs,
                                       std::map<std::string, std::string> labels) {
  const std::string expected = plain_answer(item.expected);
  std::vector<ItemRecord> records;
  for (const Output& output : outputs) {
    records.push_back({.id = item.id,
                       .input = item.labels.at("question"),
                       .output = output.text,
                       .expected = item.expected,
                       .score = plain_answer(output.text) == expected ? 1.0 : 0.0,
                       .group = item.group,
                       .values = {{"blind", item.labels.at("blind") == expected ? 1.0 : 0.0}},
                       .labels = labels});
  }
  return records;
}

}  // namespace blip3u::eval
