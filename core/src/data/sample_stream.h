// The endless row of samples that training learns from.
//
// Row g of all ranks together (row g mod B of batch g / B) comes from lane g mod L. A lane takes each of its rows from
// a source that the seed and g decide, and walks through each source in an order of its own that the seed and the
// number of the pass decide. So neither worker threads, nor ranks, nor stops change what any row is; in a pass over a
// source every sample is read once. (Lanes are what MosaicML's streaming calls canonical nodes.)
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "blip3u/dataset.h"
#include "blip3u/export.h"
#include "data/position.h"

namespace blip3u {

struct StreamSource {
  std::string name;                  ///< what errors call it
  const Dataset* dataset = nullptr;  ///< not owned
  double weight = 1;                 ///< of its share of the rows, > 0
  /// Whether a sample is wanted; others are passed over. Called by several threads. Empty: all are.
  std::function<bool(const Sample&)> accept = {};
};

struct StreamOptions {
  std::uint64_t seed = 0;
  Split split = Split::train;
  std::int64_t batch = 1;       ///< rows of all ranks together
  std::int64_t first_row = 0;   ///< of this rank in every batch
  std::int64_t rows = -1;       ///< of this rank; -1: all from first_row on
  std::int64_t lanes = 0;       ///< 0: as many as batch. Another number is another order; should divide batch, or each
                                ///< rank also reads what shares a lane with its rows
  std::int64_t window = 16;     ///< samples that a lane holds of a source, out of which it draws; 1: not shuffled
  std::int64_t workers = 0;     ///< threads that decode ahead; 0: decode when asked
  std::int64_t ahead = 8;       ///< samples that each of them holds ready
  double corrupt_share = 0.01;  ///< of the samples read that may be corrupt, give or take three standard deviations
  std::function<void(const std::string&)> corrupt = {};  ///< told once of each corrupt sample, by next()'s thread
};

/// Used by one thread. Sources may not change and must outlive it; its threads end with it.
class BLIP3U_API SampleStream {
 public:
  /// Begins at the front, or goes on from a position of a stream of the same sources, seed and lanes. Throws Error if
  /// a source has nothing to read, if the position is of other lanes or sources, or for options out of range.
  SampleStream(std::vector<StreamSource> sources, StreamOptions options,
               const std::optional<StreamPosition>& from = std::nullopt);
  ~SampleStream();

  struct Row {
    Sample sample;
    std::int64_t row = 0;    ///< among those of all ranks
    std::size_t source = 0;  ///< index of its source
  };

  /// This rank's next row. Throws Error if too many samples are corrupt, naming some, or if none can be found.
  Row next();

  /// Behind the latest row; at the end of a batch the ranks' positions merge (see to_tensors).
  StreamPosition position() const;

  std::int64_t corrupt() const;  ///< samples passed over so far, those before `from` included

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace blip3u
