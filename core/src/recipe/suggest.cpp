#include "recipe/suggest.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace blip3u {

namespace {

/// The number of insertions, deletions and replacements between two texts; any number over `limit` for more than that.
std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit) {
  if (std::max(a.size(), b.size()) - std::min(a.size(), b.size()) > limit) return limit + 1;
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string suggest(std::string_view name, const std::vector<std::string>& known, std::string_view what) {
  constexpr std::size_t near = 2;
  const std::string* best = nullptr;
  std::size_t best_distance = near + 1;
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(name, candidate, near);
    if (distance < best_distance && distance < candidate.size()) {
      best = &candidate;
      best_distance = distance;
    }
  }
  if (best) return fmt::format("; did you mean `{}`?", *best);
  if (known.empty()) return fmt::format("; there are no {}", what);
  return fmt::format("; known {}: {}", what, fmt::join(known, ", "));
}

}  // namespace blip3u
