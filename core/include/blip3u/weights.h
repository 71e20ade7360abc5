// Weights that others trained: the tensors and texts of a folder as Hugging Face has them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <c10/core/ScalarType.h>

#include "blip3u/export.h"
#include "blip3u/tensor.h"

namespace blip3u {

struct TensorInfo {
  std::string name;
  at::ScalarType dtype = at::kFloat;  ///< as stored
  std::vector<std::int64_t> shape;
};

/// The tensors of `model.safetensors`, or of the shards that its `.index.json` names, and the texts beside them.
/// Several threads may read. What is missing or damaged is an Error that names the file.
class BLIP3U_API Weights {
 public:
  Weights() = default;
  Weights(const Weights&) = delete;
  Weights& operator=(const Weights&) = delete;
  virtual ~Weights();

  virtual std::string folder() const = 0;  ///< for messages

  /// In the order of their names.
  virtual const std::vector<TensorInfo>& list() const = 0;

  /// On the CPU, contiguous, dtype as stored: the file's own pages, which come into memory when they are touched. Who
  /// writes to the tensor gets a page of his own; the file stays. Only data that the file does not align to its
  /// element is copied. The tensor may outlive this object.
  virtual Tensor view(std::string_view name) const = 0;

  /// A file of the folder: config.json, tokenizer.json, generation_config.json.
  virtual std::string text(std::string_view file) const = 0;
};

}  // namespace blip3u
