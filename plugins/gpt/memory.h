// Keys and values of a session, which grow in place.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <c10/core/InferenceMode.h>
#include <torch/torch.h>

#include "blip3u/tensor.h"

namespace blip3u::gpt {

/// Keys and values of one layer, [B,key_heads,capacity,head_width].
struct Cache {
  Tensor keys, values;

  std::int64_t capacity() const { return keys.defined() ? keys.size(2) : 0; }

  /// Puts new ones behind the first `length` columns and returns all: in place where Memory::with_room made room, or
  /// in new tensors, which gradients go through.
  Cache extend(std::int64_t length, const Tensor& key, const Tensor& value, bool in_place) const {
    const std::int64_t more = key.size(2);
    if (in_place) {
      keys.narrow(2, length, more).copy_(key);
      values.narrow(2, length, more).copy_(value);
      return first(length + more);
    }
    if (length == 0) return {key, value};
    const Cache past = first(length);
    return {at::cat({past.keys, key}, 2), at::cat({past.values, value}, 2)};
  }

  Cache first(std::int64_t length) const { return {keys.narrow(2, 0, length), values.narrow(2, 0, length)}; }
};

/// The caches of all layers. Sessions share one: each sees its own first columns, and only one whose columns are all
/// that are in use may write, behind them. What a session sees is therefore never written to again.
struct Memory {
  std::vector<Cache> layers;
  std::int64_t filled = 0;  ///< columns that some session sees

  bool has_room(std::int64_t length, std::int64_t more) const {
    return filled == length && layers.front().capacity() >= length + more;
  }

  /// This one if `more` columns can be written behind the first `length`, else a copy of those with at least twice the
  /// room; `shape` is that of [B,key_heads,any,head_width]. Not for use with gradients.
  static std::shared_ptr<Memory> with_room(std::shared_ptr<Memory> memory, std::int64_t length, std::int64_t more,
                                           std::vector<std::int64_t> shape, const at::TensorOptions& options) {
    if (memory->has_room(length, more)) return memory;
    const c10::InferenceMode ordinary_tensors(false);  // a later pass may need gradients
    const at::NoGradGuard no_gradient;
    auto larger = std::make_shared<Memory>();
    larger->filled = length;
    shape[2] = std::max<std::int64_t>(2 * length + more, 32);
    for (const Cache& layer : memory->layers) {
      Cache copy{at::empty(shape, options), at::empty(shape, options)};
      if (length > 0) copy.extend(0, layer.keys.narrow(2, 0, length), layer.values.narrow(2, 0, length), true);
      larger->layers.push_back(std::move(copy));
    }
    return larger;
  }

  std::size_t bytes() const {
    std::size_t result = 0;
    for (const Cache& layer : layers) {
      if (layer.keys.defined()) result += layer.keys.nbytes() + layer.values.nbytes();
    }
    return result;
  }
};

}  // namespace blip3u::gpt
