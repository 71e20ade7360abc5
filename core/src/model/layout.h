// How conversations are laid out as blocks of a session.
#pragma once

#include <cstdint>
#include <vector>

#include <c10/core/Device.h>

#include "blip3u/backbone.h"
#include "blip3u/tokenizer.h"

namespace blip3u {

/// A picture, or all words between two pictures.
struct Run {
  std::int64_t image = -1;
  std::vector<std::int64_t> ids;
  std::vector<float> weights;  ///< of the ids
  std::size_t read = 0;        ///< ids that are read; behind them may be one that is only expected
};
using Runs = std::vector<Run>;

/// The runs of one row. With `last` the word at its end is only expected, as nothing follows it.
Runs runs_of(const std::vector<Span>& row, bool last);

/// Whether all rows have words and pictures in the same order.
bool alike(const std::vector<Runs>& rows);

/// What the CPU knows of a row of a block.
struct Line {
  struct Word {
    std::int64_t place, id;
    float weight;
  };
  std::vector<Word> words;  ///< that are learned
  std::int64_t last = -1;   ///< place of the last token that is read; -1: there is none
};

/// A block without embeddings has nothing to read.
struct Laid {
  Block block;
  std::vector<Line> lines;  ///< of each row
};

/// Rows that are alike, run by run. `shown` is what each encoder's pictures look like, row i being picture i.
std::vector<Laid> lay_out_in_turn(Backbone& backbone, at::Device device, const std::vector<Runs>& rows,
                                  const std::vector<Block>& shown);

/// Any rows as one block, in which a picture's tokens see each other and all else is causal.
Laid lay_out_together(Backbone& backbone, at::Device device, const std::vector<Runs>& rows,
                      const std::vector<Block>& shown);

}  // namespace blip3u
