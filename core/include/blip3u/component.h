// What every component of every kind has.
#pragma once

#include <vector>

#include "blip3u/export.h"
#include "blip3u/tensor.h"

namespace blip3u {

/// Base of all contracts. A component is owned by the pipeline that asked its plugin for it, lives on one device, and
/// is used by one thread at a time. It reports bad input by throwing blip3u::Error and prints nothing.
class BLIP3U_API Component {
 public:
  Component() = default;
  Component(const Component&) = delete;
  Component& operator=(const Component&) = delete;
  virtual ~Component();

  /// Weights that training may change, named uniquely within the component, in a fixed order. The tensors share
  /// storage with the component: writing to them changes it. Empty for a component without weights.
  virtual std::vector<NamedTensor> weights() const { return {}; }

  /// State that is saved with the weights but not trained (codebook averages, statistics).
  virtual std::vector<NamedTensor> state() const { return {}; }

  /// Switches dropout and the like; components start in inference mode.
  virtual void set_training(bool) {}
};

}  // namespace blip3u
