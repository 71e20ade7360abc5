#include "blip3u/parameters.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "blip3u/error.h"
#include "recipe/diagnostics.h"

namespace blip3u {

namespace {

template <class T>
const T& value_of(const std::map<std::string, ParameterValue, std::less<>>& values, std::string_view name,
                  const char* type) {
  const auto found = values.find(name);
  if (found == values.end()) {
    throw Error(Fault::plugin,
                fmt::format("a component asked for its parameter `{}`, which its descriptor does not declare", name));
  }
  const T* value = std::get_if<T>(&found->second);
  if (!value) {
    throw Error(Fault::plugin, fmt::format("a component asked for its parameter `{}` as {}, which its descriptor "
                                           "declares with another type",
                                           name, type));
  }
  return *value;
}

std::vector<std::string> split_commas(std::string_view text) {
  constexpr std::string_view blank = " \t\n";
  std::vector<std::string> parts;
  while (text.find_first_not_of(blank) != std::string_view::npos) {
    const auto comma = std::min(text.find(','), text.size());
    std::string_view part = text.substr(0, comma);
    part.remove_prefix(std::min(part.find_first_not_of(blank), part.size()));
    part = part.substr(0, part.find_last_not_of(blank) + 1);
    parts.emplace_back(part);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

/// The numbers of a declaration's text; what is none becomes no number, which check_value refuses.
std::vector<double> split_numbers(std::string_view text) {
  std::vector<double> numbers;
  for (const std::string& part : split_commas(text)) {
    double number = 0;
    const char* const end = part.data() + part.size();
    const auto [stop, error] = std::from_chars(part.data(), end, number);
    numbers.push_back(error == std::errc() && stop == end ? number : std::numeric_limits<double>::quiet_NaN());
  }
  return numbers;
}

std::string check_range(const ParameterSpec& spec, double value, const std::string& shown) {
  if (!std::isfinite(value)) return fmt::format("must be a finite number, is {}", shown);
  if (value >= spec.minimum && value <= spec.maximum) return {};
  if (std::isinf(spec.maximum)) return fmt::format("must be at least {}, is {}", spec.minimum, shown);
  if (std::isinf(spec.minimum)) return fmt::format("must be at most {}, is {}", spec.maximum, shown);
  if (spec.type == ParameterType::integer) {  // so that 2^53 reads as an integer
    return fmt::format("must be between {} and {}, is {}", static_cast<std::int64_t>(spec.minimum),
                       static_cast<std::int64_t>(spec.maximum), shown);
  }
  return fmt::format("must be between {} and {}, is {}", spec.minimum, spec.maximum, shown);
}

std::string check_choice(const ParameterSpec& spec, const std::string& value) {
  if (spec.choices.empty()) return {};
  const bool known =
      std::any_of(spec.choices.begin(), spec.choices.end(), [&](const char* choice) { return value == choice; });
  return known ? "" : fmt::format("must be one of {}, is {}", fmt::join(spec.choices, ", "), in_ticks(value));
}

}  // namespace

Parameters Parameters::defaults(std::span<const ParameterSpec> specs) {
  Parameters result;
  for (const ParameterSpec& spec : specs) {
    if (!spec.required) result.set(spec.name, default_value(spec));
  }
  return result;
}

bool Parameters::boolean(std::string_view name) const { return value_of<bool>(values_, name, "true or false"); }
std::int64_t Parameters::integer(std::string_view name) const {
  return value_of<std::int64_t>(values_, name, "a whole number");
}
double Parameters::number(std::string_view name) const { return value_of<double>(values_, name, "a number"); }
const std::string& Parameters::text(std::string_view name) const {
  return value_of<std::string>(values_, name, "text");
}
const std::vector<std::string>& Parameters::texts(std::string_view name) const {
  return value_of<std::vector<std::string>>(values_, name, "a list of texts");
}
const std::vector<double>& Parameters::numbers(std::string_view name) const {
  return value_of<std::vector<double>>(values_, name, "a list of numbers");
}

ParameterValue default_value(const ParameterSpec& spec) {
  switch (spec.type) {
    case ParameterType::boolean: return spec.default_boolean;
    case ParameterType::integer: return static_cast<std::int64_t>(spec.default_number);
    case ParameterType::number: return spec.default_number;
    case ParameterType::text:
    case ParameterType::path: return std::string(spec.default_text);
    case ParameterType::texts: return split_commas(spec.default_text);
    case ParameterType::numbers: return split_numbers(spec.default_text);
  }
  return {};
}

std::string check_value(const ParameterSpec& spec, const ParameterValue& value) {
  switch (spec.type) {
    case ParameterType::boolean: return std::holds_alternative<bool>(value) ? "" : "must be true or false";
    case ParameterType::integer:
      if (const auto* whole = std::get_if<std::int64_t>(&value)) {
        return check_range(spec, static_cast<double>(*whole), std::to_string(*whole));
      }
      return "must be a whole number";
    case ParameterType::number:
      if (const auto* real = std::get_if<double>(&value)) return check_range(spec, *real, fmt::format("{}", *real));
      return "must be a number";
    case ParameterType::text:
      if (const auto* text = std::get_if<std::string>(&value)) return check_choice(spec, *text);
      return "must be text";
    case ParameterType::path: return std::holds_alternative<std::string>(value) ? "" : "must be a path";
    case ParameterType::numbers: {
      const auto* numbers = std::get_if<std::vector<double>>(&value);
      if (!numbers) return "must be a list of numbers";
      for (const double number : *numbers) {
        if (std::string problem = check_range(spec, number, fmt::format("{}", number)); !problem.empty()) {
          return "holds a number that " + problem;
        }
      }
      return {};
    }
    case ParameterType::texts: {
      const auto* texts = std::get_if<std::vector<std::string>>(&value);
      if (!texts) return "must be a list of texts";
      for (const std::string& text : *texts) {
        if (std::string problem = check_choice(spec, text); !problem.empty()) return problem;
      }
      return {};
    }
  }
  return {};
}

}  // namespace blip3u
