// What the verbs that print JSON say of a parameter.
#pragma once

#include <cmath>
#include <cstdint>
#include <variant>

#include "blip3u/parameters.h"

namespace blip3u {

/// Sets `default`, `minimum` and `maximum` of a JSON object, those that the parameter has.
template <class Json>
void set_default_and_range(Json& object, const ParameterSpec& spec) {
  const bool whole = spec.type == ParameterType::integer;
  const auto limit = [&](double value) { return whole ? Json(static_cast<std::int64_t>(value)) : Json(value); };
  Json& ranged = object.contains("items") ? object["items"] : object;  // of a schema of a list
  if (std::isfinite(spec.minimum)) ranged["minimum"] = limit(spec.minimum);
  if (std::isfinite(spec.maximum)) ranged["maximum"] = limit(spec.maximum);
  if (!spec.required) std::visit([&](const auto& value) { object["default"] = value; }, default_value(spec));
}

}  // namespace blip3u
