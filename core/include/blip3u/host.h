// What the core does for a component. A component gets it in its BuildContext and may keep it: it lives longer.
#pragma once

#include <cstdint>
#include <string>

#include "blip3u/export.h"
#include "blip3u/tensor.h"
#include "blip3u/weights.h"

namespace blip3u {

/// The processes that train one model together. All of them make the same calls in the same order, from the thread that
/// runs the component.
class BLIP3U_API Ranks {
 public:
  Ranks() = default;
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;
  virtual ~Ranks();

  virtual std::int64_t rank() const = 0;  ///< 0 to size - 1
  virtual std::int64_t size() const = 0;  ///< 1: alone

  /// Sum over the ranks of tensors of one shape and dtype. The gradient is the sum of the ranks' gradients.
  virtual Tensor sum(const Tensor& value) = 0;

  /// All ranks' rows [n, ...], in the order of the ranks: [size * n, ...]. Every rank has the same n. The gradient of a
  /// rank's rows is the sum of what all ranks have for them.
  virtual Tensor gather(const Tensor& rows) = 0;
};

class BLIP3U_API Host {
 public:
  Host() = default;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  virtual ~Host();

  /// Of the folder that the recipe gives this component as `weights`; null if it gives none.
  virtual const Weights* weights() const = 0;

  virtual Ranks& ranks() = 0;

  /// Says in one line what the component did, since it prints nothing itself. May be called from any thread.
  virtual void note(const std::string& text) = 0;
};

}  // namespace blip3u
