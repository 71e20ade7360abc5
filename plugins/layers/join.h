// Puts tables together: of parameters that several components share, or of components.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

namespace blip3u::layers {

template <class Row, std::size_t... lengths>
constexpr auto join(const Row (&... tables)[lengths]) {
  std::array<Row, (lengths + ...)> result{};
  auto* next = result.data();
  ((next = std::copy(tables, tables + lengths, next)), ...);
  return result;
}

}  // namespace blip3u::layers
