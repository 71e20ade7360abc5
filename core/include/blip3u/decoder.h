// decoder: features or codes -> pixels.
#pragma once

#include "blip3u/component.h"
#include "blip3u/random.h"
#include "blip3u/visual.h"

namespace blip3u {

class BLIP3U_API Decoder : public Component {
 public:
  ~Decoder() override;

  /// Images [B,3,S,S] float32, clamped to [-1,1]. One generator row for each image; a deterministic decoder ignores it.
  virtual Tensor decode(const Visual&, Generator&) = 0;

  /// Loss terms of one batch of features and the images [B,3,S,S] in [-1,1] that they were made from; empty for a
  /// decoder that is not trained. One generator row for each image.
  virtual std::vector<Loss> loss(const Visual&, const Tensor& /*images*/, Generator&) { return {}; }
};

}  // namespace blip3u
