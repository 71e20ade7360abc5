// Parameters of components: a declared schema, and values that the core has checked against it.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "blip3u/export.h"

namespace blip3u {

enum class ParameterType {
  boolean,
  integer,
  number,
  text,
  texts,
  numbers,
  path,  ///< of a file or folder: made absolute against the recipe that names it; its content is part of a run's
         ///< identity
};

/// One declared parameter. A constant: strings must outlive the library (use literals).
struct ParameterSpec {
  const char* name;
  ParameterType type;
  const char* documentation;
  bool required = false;
  bool default_boolean = false;
  double default_number = 0;      ///< of integers too; exact up to 2^53
  const char* default_text = "";  ///< of texts and numbers: comma-separated
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
  std::span<const char* const> choices = {};  ///< of text and texts; empty means free
  /// Read only after training: another value trains nothing again (steps of a solver, scale of guidance).
  bool inference = false;
};

// Shorthands for descriptor tables.
constexpr ParameterSpec boolean(const char* name, bool value, const char* documentation) {
  return {.name = name, .type = ParameterType::boolean, .documentation = documentation, .default_boolean = value};
}
constexpr ParameterSpec integer(const char* name, std::int64_t value, std::int64_t minimum, std::int64_t maximum,
                                const char* documentation) {
  return {.name = name,
          .type = ParameterType::integer,
          .documentation = documentation,
          .default_number = static_cast<double>(value),
          .minimum = static_cast<double>(minimum),
          .maximum = static_cast<double>(maximum)};
}
constexpr ParameterSpec number(const char* name, double value, double minimum, double maximum,
                               const char* documentation) {
  return {.name = name,
          .type = ParameterType::number,
          .documentation = documentation,
          .default_number = value,
          .minimum = minimum,
          .maximum = maximum};
}
constexpr ParameterSpec text(const char* name, const char* value, const char* documentation,
                             std::span<const char* const> choices = {}) {
  return {.name = name,
          .type = ParameterType::text,
          .documentation = documentation,
          .default_text = value,
          .choices = choices};
}
constexpr ParameterSpec texts(const char* name, const char* comma_separated, const char* documentation,
                              std::span<const char* const> choices = {}) {
  return {.name = name,
          .type = ParameterType::texts,
          .documentation = documentation,
          .default_text = comma_separated,
          .choices = choices};
}
constexpr ParameterSpec numbers(const char* name, const char* comma_separated, double minimum, double maximum,
                                const char* documentation) {
  return {.name = name,
          .type = ParameterType::numbers,
          .documentation = documentation,
          .default_text = comma_separated,
          .minimum = minimum,
          .maximum = maximum};
}
constexpr ParameterSpec path(const char* name, const char* value, const char* documentation) {
  return {.name = name, .type = ParameterType::path, .documentation = documentation, .default_text = value};
}
constexpr ParameterSpec required(ParameterSpec spec) {
  spec.required = true;
  return spec;
}
constexpr ParameterSpec inference(ParameterSpec spec) {
  spec.inference = true;
  return spec;
}

using ParameterValue =
    std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>, std::vector<double>>;

/// Checked values of every declared parameter of one component, defaults filled in.
class BLIP3U_API Parameters {
 public:
  Parameters() = default;
  explicit Parameters(std::map<std::string, ParameterValue, std::less<>> values) : values_(std::move(values)) {}

  /// Every default of a schema; required parameters stay absent.
  static Parameters defaults(std::span<const ParameterSpec> specs);

  // Each throws Error(Fault::plugin) when the name was not declared with that type.
  bool boolean(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  double number(std::string_view name) const;
  const std::string& text(std::string_view name) const;  ///< of paths too
  const std::vector<std::string>& texts(std::string_view name) const;
  const std::vector<double>& numbers(std::string_view name) const;

  void set(const std::string& name, ParameterValue value) { values_[name] = std::move(value); }
  const std::map<std::string, ParameterValue, std::less<>>& values() const { return values_; }

 private:
  std::map<std::string, ParameterValue, std::less<>> values_;
};

/// The default of one parameter. For a required one the type's empty value.
BLIP3U_API ParameterValue default_value(const ParameterSpec& spec);

/// Returns an empty string if the value fits the declaration, else what is wrong ("must be between 1 and 64, is 0").
BLIP3U_API std::string check_value(const ParameterSpec& spec, const ParameterValue& value);

}  // namespace blip3u
