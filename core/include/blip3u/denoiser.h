// denoiser: the network that a sampler drives.
#pragma once

#include <memory>

#include "blip3u/backbone.h"
#include "blip3u/component.h"
#include "blip3u/visual.h"

namespace blip3u {

/// What an image is made from, computed once an image by Denoiser::prepare.
struct Condition {
  Session* context = nullptr;  ///< what came before; not owned, must outlive the condition
  Tensor tokens;               ///< [B,Q,W], the denoiser's own reading of the context; undefined for in-context ones
  Tensor mask;                 ///< [B,Q] bool; undefined: all valid
};

/// One image of each row made group by group (capability "stream").
class BLIP3U_API Stream {
 public:
  virtual ~Stream();
  virtual Tensor scores() = 0;                  ///< logits [B,n,K] or features [B,n,D] of the next group
  virtual void push(const Tensor& chosen) = 0;  ///< the ids [B,n] or features [B,n,D] that the sampler chose
  virtual bool done() const = 0;
};

/// Two shapes are known: a network that cross-attends to tokens which learnable queries fetched from the session, and
/// an in-context block whose tokens run inside the session (uncommitted), so that it owns only projections and a head.
class BLIP3U_API Denoiser : public Component {
 public:
  ~Denoiser() override;

  /// Reads the context. May append uncommitted blocks to it; must not commit any.
  virtual Condition prepare(Session& context) = 0;

  /// What the sampler's objective asks for, in the shape of the target: [B,N,D] float (velocity, noise or features).
  /// For codes: teacher-forced logits [B,N,K] of the codes in `noised`.
  /// noised.x [B,N,D]; time [B] float32 in [0,1], where 0 is data and 1 is noise.
  virtual Tensor predict(const Visual& noised, const Tensor& time, const Condition&) = 0;

  /// Capability "stream".
  virtual std::unique_ptr<Stream> stream(const Condition&);
};

}  // namespace blip3u
