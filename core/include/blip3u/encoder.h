// encoder: pixels -> features or codes.
#pragma once

#include <span>

#include "blip3u/component.h"
#include "blip3u/random.h"
#include "blip3u/visual.h"

namespace blip3u {

/// What an encoder is trained on.
struct EncoderBatch {
  Tensor images;       ///< [B,3,S,S] float32 in [-1,1]
  TextBatch captions;  ///< [B,T]; a row without a caption has no valid token
};

/// Turns images into the features that the backbone reads and the denoiser learns to make.
/// Rows of a batch are independent of each other in everything but `loss`.
class BLIP3U_API Encoder : public Component {
 public:
  ~Encoder() override;

  virtual Layout layout() const = 0;

  /// images [B,3,S,S] float32 in [-1,1] on the component's device; S is the wiring's image size.
  virtual Visual encode(const Tensor& images) = 0;

  /// Loss terms of one batch; empty for an encoder that is not trained. One generator row for each image.
  virtual std::vector<Loss> loss(const EncoderBatch&, Generator&) { return {}; }

  /// Called after each optimiser step (moving averages of codebooks, restarts of dead codes).
  virtual void after_step(Generator&) {}

  /// Capability "text_embedding": image and text embeddings in one space, [B,E] of unit length.
  virtual Tensor embed_image(const Visual&);
  virtual Tensor embed_text(const TextBatch&);

  /// Capability "codes": the input embedding [B,n,D] of generation group `group`, from the codes [B,m,R] of all
  /// earlier groups and, where embedding is position-wise, of the group itself.
  virtual Tensor embed_codes(const Tensor& codes, std::int64_t group);
};

/// A mixin of encoders that take pictures of any size, by rules of their own (smart resize, crops, tiles, means). The
/// core calls these two in place of Encoder::encode.
class BLIP3U_API AnySize {
 public:
  virtual ~AnySize();

  /// What encode_all() takes of a picture [3,H,W] uint8 on the CPU. Several threads may call it at once.
  virtual Tensor prepare(const Tensor& picture) const = 0;

  /// Prepared pictures on the component's device, each of its own size, as one Visual with its grids, and with `valid`
  /// where rows differ in tokens.
  virtual Visual encode_all(std::span<const Tensor> prepared) = 0;
};

}  // namespace blip3u
