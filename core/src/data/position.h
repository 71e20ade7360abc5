// How far a stream of samples has come, to the sample.
#pragma once

#include <cstdint>
#include <vector>

#include "blip3u/export.h"
#include "blip3u/tensor.h"

namespace blip3u {

/// How far one lane has come in one source.
struct CursorPosition {
  std::int64_t pass = 0;     ///< over the source
  std::int64_t chapter = 0;  ///< of those that the lane reads in the pass, where the window begins
  std::int64_t offset = 0;   ///< the lane's samples of that chapter before the window; of an indexed source: all before
  std::int64_t taken = 0;    ///< samples taken out of the window
  std::int64_t read = 0;     ///< samples so far, the window's included
  std::int64_t corrupt = 0;  ///< those of them that were passed over

  bool operator==(const CursorPosition&) const = default;
};

struct StreamPosition {
  std::int64_t row = 0;                            ///< rows of all ranks before the next one
  std::vector<std::vector<CursorPosition>> lanes;  ///< by lane and source; a lane that another rank reads is empty

  bool operator==(const StreamPosition&) const = default;
};

/// As tensors to be saved with a checkpoint: "data.row" [1] and "data.lanes" [lanes, sources, 6], int64 on the CPU.
/// A lane without a position holds -1, so that the elementwise maximum over the ranks is the position of all.
BLIP3U_API std::vector<NamedTensor> to_tensors(const StreamPosition& position);

/// Throws Error if the tensors are missing or of another shape than to_tensors gives.
BLIP3U_API StreamPosition position_from(const std::vector<NamedTensor>& tensors);

}  // namespace blip3u
