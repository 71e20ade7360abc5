// One lane's way through one source, in an order that depends on the seed and the pass alone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "blip3u/dataset.h"
#include "data/position.h"

namespace blip3u {

/// What is the same for all lanes of a source.
struct CursorTask {
  std::string name;  ///< of the source, for errors
  const Dataset* dataset = nullptr;
  Split split = Split::train;
  std::vector<Chapter> chapters;
  std::uint64_t seed = 0;
  std::int64_t lanes = 1;
  std::int64_t window = 1;
  std::function<bool(const Sample&)> accept = {};  ///< empty: all samples are wanted
};

/// An endless walk. Used by one thread at a time.
class Cursor {
 public:
  virtual ~Cursor() = default;

  /// The next sound sample. Appends what was wrong with corrupt ones on the way. Throws Error if there is none to find.
  virtual Sample next(std::vector<std::string>& corrupt) = 0;

  /// From which a new cursor goes on behind the latest sample.
  virtual CursorPosition position() const = 0;
};

/// Through an index if the source has one, else through chapters. The task outlives the cursor.
std::unique_ptr<Cursor> make_cursor(const CursorTask& task, std::int64_t lane, const CursorPosition& from);

}  // namespace blip3u
