#include "recipe/diagnostics.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "blip3u/utf8.h"

namespace blip3u {

namespace {

constexpr std::size_t most_reported = 50;
constexpr std::size_t widest_line = 160;  // of a source line in a message, in characters

/// `count` characters of UTF-8 text from character `first` on, control characters but the tab replaced.
std::string characters(std::string_view text, std::size_t first, std::size_t count) {
  std::string result;
  std::size_t index = 0;
  for (const char byte : text) {
    if (begins_character(byte)) ++index;
    if (index <= first) continue;
    if (index > first + count) break;
    const bool control = static_cast<unsigned char>(byte) < 0x20 || byte == 0x7F;
    result += control && byte != '\t' ? '?' : byte;
  }
  return result;
}

/// The line and a caret below the column. Of a very long line only the neighbourhood is shown.
std::string excerpt(const Position& position) {
  if (position.line < 1 || static_cast<std::size_t>(position.line) > position.source->lines.size()) return {};
  const std::string& line = position.source->lines[static_cast<std::size_t>(position.line) - 1];
  const auto column = static_cast<std::size_t>(std::max(position.column, 1)) - 1;
  const std::size_t first = column < widest_line ? 0 : column - widest_line / 2;
  const std::string shown = characters(line, first, widest_line);
  std::string blanks;
  for (const char byte : characters(line, first, column - first)) {
    if (begins_character(byte)) blanks += byte == '\t' ? '\t' : ' ';
  }
  return fmt::format("\n  {}\n  {}^", shown, blanks);
}

}  // namespace

void Diagnostics::add(const Position& position, std::string message, Fault fault) {
  problems_.push_back({position, std::move(message), fault});
}

void Diagnostics::raise() const {
  std::vector<const Source*> sources;  // in the order in which they first had a problem
  for (const Problem& problem : problems_) {
    const Source* source = problem.position.source.get();
    if (std::find(sources.begin(), sources.end(), source) == sources.end()) sources.push_back(source);
  }
  const auto rank = [&](const Problem& problem) {
    const auto source = std::find(sources.begin(), sources.end(), problem.position.source.get());
    return std::tuple(source - sources.begin(), problem.position.line, problem.position.column);
  };
  std::vector<Problem> ordered = problems_;
  std::stable_sort(ordered.begin(), ordered.end(),
                   [&](const Problem& a, const Problem& b) { return rank(a) < rank(b); });

  Fault fault = Fault::usage;
  for (const Problem& problem : ordered) {
    if (problem.fault == Fault::plugin) fault = Fault::plugin;
  }
  std::string text;
  for (std::size_t i = 0; i < std::min(ordered.size(), most_reported); ++i) {
    const auto& [position, message, unused] = ordered[i];
    if (i > 0) text += '\n';
    text += position.source->name;
    if (position.line > 0) text += fmt::format(":{}:{}", position.line, position.column);
    text += fmt::format(": {}{}", message, excerpt(position));
  }
  if (ordered.size() > most_reported) text += fmt::format("\nand {} more problems", ordered.size() - most_reported);
  throw Error(fault, text);
}

std::string in_ticks(std::string_view text) {
  constexpr std::size_t longest = 60;
  const std::string shown = characters(text, 0, longest);
  return shown.size() < text.size() ? fmt::format("`{}…`", shown) : fmt::format("`{}`", shown);
}

}  // namespace blip3u
