// decoder: features or codes -> pixels.
#pragma once

#include "blip3u/component.h"
#include "blip3u/random.h"
#include "blip3u/visual.h"
#include "blip3u/watch.h"

namespace blip3u {

struct DecodeTask {
  const Visual& visual;  ///< x [B,N,D] float32, or codes
  Generator& noise;      ///< one row for each image; a deterministic decoder ignores it
  Watch watch = {};      ///< told after each step of a decoder that takes steps
};

struct DecoderBatch {
  const Visual& visual;  ///< what the encoder made of the images, as in DecodeTask
  const Tensor& images;  ///< [B,3,S,S] float32 in [-1,1]
  Generator& noise;      ///< one row for each image
};

class BLIP3U_API Decoder : public Component {
 public:
  ~Decoder() override;

  /// Images [B,3,S,S] float32, clamped to [-1,1], whatever type the weights have. Throws Cancelled where the watch says
  /// to stop.
  virtual Tensor decode(const DecodeTask&) = 0;

  /// Loss terms of one batch, float32; empty for a decoder that is not trained.
  virtual std::vector<Loss> loss(const DecoderBatch&) { return {}; }
};

}  // namespace blip3u
