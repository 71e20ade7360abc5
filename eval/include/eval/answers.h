// How answers in words are compared.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "blip3u/task.h"

namespace blip3u::eval {

/// What exact_match@1 compares: lower case, punctuation dropped, words one space apart.
std::string plain_answer(std::string_view answer);

/// How often answers occur, as they are compared.
class AnswerCounts {
 public:
  void add(std::string_view answer) { ++counts_[plain_answer(answer)]; }
  std::string most_frequent() const;  ///< of equals the first in the alphabet; "" if there are none

 private:
  std::map<std::string, std::int64_t> counts_;
};

/// Records, with these labels, of replies in words to the item's label `question`: each scores 1 if it is what is
/// expected; the value `blind` is 1 if the item's label `blind` is, the plain answer of one who does not look.
std::vector<ItemRecord> answer_records(const Item& item, std::span<const Output> outputs,
                                       std::map<std::string, std::string> labels);

}  // namespace blip3u::eval
