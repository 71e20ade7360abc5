#include "recipe/check.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include <fmt/format.h>

namespace blip3u {

namespace {

constexpr std::int64_t largest_exact = std::int64_t{1} << 53;  // whole numbers up to here survive a double

bool digits(std::string_view& text) {
  const auto count = std::min(text.find_first_not_of("0123456789"), text.size());
  text.remove_prefix(count);
  return count > 0;
}

/// Takes an optional sign and digits without a leading zero off the front.
bool whole_part(std::string_view& text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  const bool leading_zero = text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9';
  return !leading_zero && digits(text);
}

bool is_whole_number(std::string_view text) { return whole_part(text) && text.empty(); }

bool is_number(std::string_view text) {
  if (!whole_part(text)) return false;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (!digits(text)) return false;
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    if (!digits(text)) return false;
  }
  return text.empty();
}

template <class T>
bool convert(std::string_view text, T& value) {
  if (text.starts_with('+')) text.remove_prefix(1);  // from_chars takes none
  return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc();
}

std::string describe(const Node& node) {
  switch (node.type) {
    case Node::Type::null: return "nothing";
    case Node::Type::list: return "a list";
    case Node::Type::map: return "a map";
    default: return node.quoted ? "the text " + in_ticks(node.text) : in_ticks(node.text);
  }
}

const char* type_wanted(ParameterType type) {
  switch (type) {
    case ParameterType::boolean: return "true or false";
    case ParameterType::integer: return "a whole number in plain digits, such as 64";
    case ParameterType::number: return "a number in plain decimals, such as 0.001 or 1e-3";
    case ParameterType::text: return "text";
    case ParameterType::texts: return "a list of texts, such as [a, b]";
    case ParameterType::numbers: return "a list of numbers in plain decimals, such as [0.1, 2]";
    case ParameterType::path: return "the path of a file or folder";
  }
  return "";
}

/// A path counts from the file that names it, and from the working directory where an override does.
std::string absolute_path(const Node& node) {
  if (node.text.empty()) return {};
  const Source& source = *node.position.source;
  const auto folder = source.lines.empty() ? std::filesystem::path() : std::filesystem::path(source.name).parent_path();
  return std::filesystem::absolute(folder / node.text).lexically_normal().string();
}

/// Fills `value` from a scalar of the right form.
bool parse_scalar(const Node& node, ParameterType type, ParameterValue& value) {
  if (type == ParameterType::text) {
    value = node.text;
    return true;
  }
  if (type == ParameterType::path) {
    value = absolute_path(node);
    return true;
  }
  if (node.quoted) return false;
  if (type == ParameterType::boolean) {
    value = node.text == "true";
    return node.text == "true" || node.text == "false";
  }
  if (type == ParameterType::integer) {
    std::int64_t whole = 0;
    if (!is_whole_number(node.text) || !convert(node.text, whole)) return false;
    value = whole;
    return whole <= largest_exact && whole >= -largest_exact;
  }
  double real = 0;
  if (type != ParameterType::number || !is_number(node.text) || !convert(node.text, real)) return false;
  value = real;
  return true;
}

bool parse_numbers(const Node& node, ParameterValue& value) {
  std::vector<double> numbers;
  for (const Node& item : node.items) {
    ParameterValue number;
    if (!item.is(Node::Type::scalar) || !parse_scalar(item, ParameterType::number, number)) return false;
    numbers.push_back(std::get<double>(number));
  }
  value = std::move(numbers);
  return node.is(Node::Type::list);
}

bool parse_texts(const Node& node, ParameterValue& value) {
  std::vector<std::string> texts;
  for (const Node& item : node.items) {
    if (!item.is(Node::Type::scalar)) return false;
    texts.push_back(item.text);
  }
  value = std::move(texts);
  return node.is(Node::Type::list);
}

/// A number of the right form that no variable can hold.
bool is_out_of_reach(const Node& node, ParameterType type) {
  if (!node.is(Node::Type::scalar) || node.quoted) return false;
  return (type == ParameterType::integer && is_whole_number(node.text)) ||
         (type == ParameterType::number && is_number(node.text));
}

}  // namespace

void expected(const Node& node, std::string_view name, std::string_view what, Diagnostics& diagnostics) {
  if (node.is(Node::Type::invalid)) return;
  const char* mend = node.is(Node::Type::scalar) && node.quoted ? "; remove the quotes"
                     : node.is(Node::Type::null)                ? "; give it a value, or remove the key"
                                                                : "";
  diagnostics.add(node.position, fmt::format("{} must be {}, is {}{}", in_ticks(name), what, describe(node), mend));
}

bool read_value(const Node& node, std::string_view name, const ParameterSpec& spec, ParameterValue& value,
                Diagnostics& diagnostics) {
  const bool well_formed = spec.type == ParameterType::texts ? parse_texts(node, value)
                           : spec.type == ParameterType::numbers
                               ? parse_numbers(node, value)
                               : node.is(Node::Type::scalar) && parse_scalar(node, spec.type, value);
  if (!well_formed) {
    expected(node, name, is_out_of_reach(node, spec.type) ? "a number of ordinary size" : type_wanted(spec.type),
             diagnostics);
    return false;
  }
  const std::string problem = check_value(spec, value);
  if (!problem.empty()) diagnostics.add(node.position, fmt::format("{} {}", in_ticks(name), problem));
  return problem.empty();
}

CheckedMap check_map(const Node& map, const Position& where, std::string_view what,
                     std::span<const ParameterSpec> schema, std::span<const char* const> others,
                     Diagnostics& diagnostics) {
  CheckedMap result{Parameters::defaults(schema), true};
  for (const ParameterSpec& spec : schema) {  // a default counts from the working directory, as an override does
    if (spec.type != ParameterType::path || spec.required || !*spec.default_text) continue;
    result.parameters.set(spec.name, std::filesystem::absolute(spec.default_text).lexically_normal().string());
  }
  std::vector<std::string> known(others.begin(), others.end());
  for (const ParameterSpec& spec : schema) known.emplace_back(spec.name);

  for (const Entry& entry : map.entries) {
    const auto spec = std::find_if(schema.begin(), schema.end(),
                                   [&](const ParameterSpec& candidate) { return entry.key == candidate.name; });
    if (spec != schema.end()) {
      ParameterValue value;
      if (read_value(entry.value, entry.key, *spec, value, diagnostics)) {
        result.parameters.set(entry.key, std::move(value));
      } else {
        result.valid = false;
      }
    } else if (std::find(others.begin(), others.end(), entry.key) == others.end()) {
      result.valid = false;
      diagnostics.add(entry.position, fmt::format("unknown key {} in {}{}", in_ticks(entry.key), what,
                                                  suggest(entry.key, known, "keys")));
    }
  }
  for (const ParameterSpec& spec : schema) {
    if (!spec.required) continue;
    if (!map.find(spec.name)) {
      result.valid = false;
      diagnostics.add(where, fmt::format("missing key `{}` in {}: {}", spec.name, what, spec.documentation));
    }
    if (!result.parameters.values().contains(spec.name)) result.parameters.set(spec.name, default_value(spec));
  }
  return result;
}

bool is_plain_name(std::string_view text) {
  return !text.empty() && text.size() <= 100 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

}  // namespace blip3u
