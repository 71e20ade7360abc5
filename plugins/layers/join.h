// Puts tables of parameters together that several components share.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "blip3u/parameters.h"

namespace blip3u::layers {

template <std::size_t... lengths>
constexpr auto join(const ParameterSpec (&... tables)[lengths]) {
  std::array<ParameterSpec, (lengths + ...)> result{};
  auto* next = result.data();
  ((next = std::copy(tables, tables + lengths, next)), ...);
  return result;
}

}  // namespace blip3u::layers
