// What images are between an encoder, a denoiser and a decoder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "blip3u/export.h"
#include "blip3u/tensor.h"

namespace blip3u {

/// Tokens of one picture lie row by row on a grid.
struct Grid {
  std::int64_t rows = 0, columns = 0;
  bool operator==(const Grid&) const = default;
};

/// Image tokens of a batch, continuous or discrete.
struct Visual {
  Tensor x;           ///< [B,N,D] float: features, latents or patches; for codes, their embedding (may be undefined)
  Tensor codes;       ///< [B,N,R] int64 with R residual levels, -1 where masked; undefined when continuous
  Tensor valid = {};  ///< [B,N] bool, false for padding of a shorter row, at its end; undefined: all valid
  std::vector<Grid> grids = {};  ///< of each row, where the layout is ragged; empty: the layout's one grid, or none
  std::int64_t source = 0;       ///< which of the encoders that the backbone reads with made it; -1: another
};

/// The shape of a Visual without its batch.
struct Layout {
  std::int64_t tokens = 0;    ///< N
  std::int64_t width = 0;     ///< D
  std::int64_t codebook = 0;  ///< entries of the codebook; 0 means continuous
  std::int64_t depth = 1;     ///< R, residual levels of a code
  /// Sizes of the groups in which tokens are generated, summing to `tokens`; empty means all at once.
  /// {1,1,...} is token by token, {1,4,16} is next-scale prediction.
  std::vector<std::int64_t> groups;
  bool ragged = false;  ///< rows may have fewer tokens than `tokens`, by the sizes of their pictures

  bool operator==(const Layout&) const = default;
};

/// One term of a loss. The sum and the number of elements are kept apart so that the recipe owns normalisation
/// (total = weight * sum / count) and so that terms can be added over parts of a batch.
struct Loss {
  std::string name;
  Tensor sum;    ///< scalar, differentiable
  Tensor count;  ///< scalar, same device; at least 1
};

/// Token ids of a batch of texts, padded on the right.
struct TextBatch {
  Tensor ids;    ///< [B,T] int64
  Tensor valid;  ///< [B,T] bool: false where padded; undefined: nothing is padded
};

}  // namespace blip3u
