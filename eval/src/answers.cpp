#include "eval/answers.h"

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

}  // namespace blip3u::eval
