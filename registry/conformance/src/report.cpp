// What was found, for people and for programs.
#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "blip3u/conformance.h"

namespace blip3u::conformance {

namespace {

const char* outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::passed: return "passed";
    case Outcome::failed: return "failed";
    case Outcome::skipped: return "skipped";
  }
  return "unknown";
}

/// Passed, failed and skipped ones.
std::array<std::size_t, 3> tally(const std::vector<Check>& checks) {
  std::array<std::size_t, 3> counts{};
  for (const Check& check : checks) ++counts[static_cast<std::size_t>(check.outcome)];
  return counts;
}

/// Text as it may stand in an attribute or an element. XML 1.0 has no place for most control characters, and a
/// plugin's message need not be UTF-8.
std::string escaped(const std::string& text) {
  std::string result;
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    switch (character) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      case '\n': result += "&#10;"; break;
      default: result += byte < 0x20 || byte >= 0x7F ? '?' : character;
    }
  }
  return result;
}

}  // namespace

std::string to_text(const std::vector<Check>& checks, bool verbose) {
  std::string text;
  for (std::size_t first = 0; first < checks.size();) {
    std::size_t last = first;
    std::vector<std::string> passed;
    double seconds = 0;
    for (; last < checks.size() && checks[last].component == checks[first].component; ++last) {
      const Check& check = checks[last];
      seconds += check.seconds;
      if (check.outcome == Outcome::passed && !verbose) {
        passed.push_back(check.name);
        continue;
      }
      text +=
          fmt::format("{:<7}  {}  {}{}{}\n", check.outcome == Outcome::failed ? "FAILED" : outcome_name(check.outcome),
                      check.component, check.name, check.detail.empty() ? "" : ": ", check.detail);
    }
    if (!passed.empty()) {
      text += fmt::format("passed   {}  {} ({:.1f} s)\n", checks[first].component, fmt::join(passed, ", "), seconds);
    }
    first = last;
  }
  const auto [passed, failed, skipped] = tally(checks);
  return text + fmt::format("{} passed, {} failed, {} skipped\n", passed, failed, skipped);
}

std::string to_json(const std::vector<Check>& checks) {
  nlohmann::json list = nlohmann::json::array();
  for (const Check& check : checks) {
    list.push_back({{"component", check.component},
                    {"name", check.name},
                    {"outcome", outcome_name(check.outcome)},
                    {"detail", check.detail},
                    {"seconds", check.seconds}});
  }
  // A plugin's message need not be UTF-8.
  return list.dump(2, ' ', /*ensure_ascii=*/false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string to_junit(const std::vector<Check>& checks, const std::string& suite) {
  const auto [passed, failed, skipped] = tally(checks);
  double seconds = 0;
  for (const Check& check : checks) seconds += check.seconds;
  std::string xml = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
      "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"{:.3f}\">\n",
      escaped(suite), passed + failed + skipped, failed, skipped, seconds);
  for (const Check& check : checks) {
    xml += fmt::format("    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3f}\"", escaped(check.component),
                       escaped(check.name), check.seconds);
    switch (check.outcome) {
      case Outcome::passed: xml += "/>\n"; break;
      case Outcome::failed: xml += fmt::format("><failure message=\"{}\"/></testcase>\n", escaped(check.detail)); break;
      case Outcome::skipped:
        xml += fmt::format("><skipped message=\"{}\"/></testcase>\n", escaped(check.detail));
        break;
    }
  }
  return xml + "  </testsuite>\n</testsuites>\n";
}

}  // namespace blip3u::conformance
