// guidance: predictions under several contexts, made into one (classifier-free guidance, Ho & Salimans 2022,
// arXiv:2207.12598, and what grew from it).
#pragma once

#include <vector>

#include "blip3u/component.h"

namespace blip3u {

/// What the denoiser is told. The core knows how to build each from a conversation.
enum class Context {
  whole,     ///< all of it
  no_text,   ///< its pictures without the texts
  no_image,  ///< its texts without the pictures
  nothing,   ///< the empty prompt, or the denoiser's own (mixin Nulls)
  negative,  ///< what the picture is not to show; nothing where nobody says
};

/// Predictions at one time of one step.
struct Combination {
  Tensor predictions;  ///< [k,B,...] float32, of the contexts in their order; also logits of codes
  Tensor time;         ///< [B] float32 in [0,1]; undefined where the sampler has no times
};

/// Has no weights and trains nothing: all its parameters are `inference`. Row i of what it makes depends on row i of
/// the predictions alone.
class BLIP3U_API Guidance : public Component {
 public:
  ~Guidance() override;

  /// k >= 1 different contexts, of which the first is `whole`. Where the others would change nothing (a scale of 1), it
  /// asks for `whole` alone, so that they cost nothing. Always the same for one object.
  virtual std::vector<Context> contexts() const = 0;

  /// [B,...] float32, on the device of the predictions; finite for finite predictions. Equal predictions under all
  /// contexts give that prediction. Must not write to its input.
  virtual Tensor combine(const Combination&) = 0;
};

}  // namespace blip3u
