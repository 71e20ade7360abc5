// denoiser: the network that a sampler drives.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "blip3u/backbone.h"
#include "blip3u/component.h"
#include "blip3u/random.h"
#include "blip3u/visual.h"

namespace blip3u {

/// What images are made from, computed once an image by Denoiser::prepare. A denoiser derives its own to keep what
/// depends on the condition alone (keys and values of the context, pooled texts, sizes); nobody writes to it
/// afterwards, so one condition serves any number of predictions.
struct BLIP3U_API Condition {
  explicit Condition(Session* given = nullptr, Tensor own_tokens = {}, Tensor own_mask = {})
      : context(given), tokens(std::move(own_tokens)), mask(std::move(own_mask)) {}
  Condition(const Condition&) = delete;  // it would lose what a derived one keeps
  Condition& operator=(const Condition&) = delete;
  virtual ~Condition();

  Session* context;  ///< what came before; not owned, must outlive the condition
  Tensor tokens;     ///< [B,Q,W], the denoiser's own reading of the context; undefined for in-context ones
  Tensor mask;       ///< [B,Q] bool; undefined: all valid
};

/// What `prepare` may read. Each of B rows makes its own image.
struct Given {
  Session& context;  ///< B rows; what came before the image
  /// What the generation link before this one made, B rows, in its target's own scale; in training, what that target
  /// makes of the picture. Null: this link is the first.
  const Visual* previous = nullptr;
  Tensor hidden = {};  ///< [B,N',C] of the backbone's type: what Keeps::keep returned of previous; undefined: not kept
  /// Pictures in the context in their order, as the link's target encoder makes them, scaled as what is to be made: the
  /// first of each row, then the second, ... A row that has fewer has no valid token there.
  std::span<const Visual> sources = {};
  std::span<const double> times = {};  ///< that the solver will ask for, in this order; empty: not known
};

/// One question to the denoiser.
struct Prediction {
  /// x [B,N,D] float32; or codes [B,N,R], of which -1 is masked.
  Visual noised;
  Tensor time;  ///< [B] float32 in [0,1], where 0 is data and 1 is noise; zeros for codes without a time
  const Condition& condition;
  std::int64_t step = -1;      ///< every row's time is Given::times[step]; -1: look at `time`
  Generator* noise = nullptr;  ///< for dropout in training, B rows; null: there is none
};

/// Two shapes are known: a network that cross-attends to tokens which learnable queries fetched from the session, and
/// an in-context block whose tokens run inside the session (uncommitted), so that it owns only projections and a head.
/// Further abilities are the mixins below: derive from them too.
class BLIP3U_API Denoiser : public Component {
 public:
  ~Denoiser() override;

  /// Reads the context. May append uncommitted blocks to it; must not commit any. Differentiable while gradients are
  /// enabled. Uses nothing of `Given` afterwards but the session.
  virtual std::unique_ptr<Condition> prepare(const Given&) = 0;

  /// What the sampler's objective asks for (velocity, noise, data), in the shape of the target: [B,N,D] float32,
  /// whatever type the weights have. For codes: logits [B,N,R,K] float32, each of codes that stand before its place
  /// (teacher-forced) or, where the code is masked, of all that are not.
  virtual Tensor predict(const Prediction&) = 0;
};

/// One image of each row, made group by group and, within a group, residual level by level: while not done(), the
/// sampler alternates scores() and push(), R times a group of codes and once a group of features.
class BLIP3U_API Stream {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  virtual ~Stream();
  virtual Tensor scores() = 0;  ///< float32: logits [B,n,K] of the group's next level, or features [B,n,D]
  virtual void push(const Tensor& chosen) = 0;  ///< the ids [B,n] or features [B,n,D] that the sampler chose
  virtual bool done() const = 0;                ///< every level of every group has been pushed
};

/// Mixin: makes images group by group (capability "stream"), as Layout::groups says. The condition must outlive the
/// stream; several streams of one condition do not disturb each other.
class BLIP3U_API Streams {
 public:
  virtual ~Streams();
  virtual std::unique_ptr<Stream> stream(const Condition&) = 0;
};

/// Mixin: a picture that was made stays in the conversation as the denoiser reads it (capability "keep"): as each link
/// keeps it, in their order. Where no link does, the picture is decoded and read again by the backbone's encoders; so
/// are, always, the pictures of earlier replies that a request brings, and those of the reply itself in contexts of
/// guidance other than the whole one.
class BLIP3U_API Keeps {
 public:
  virtual ~Keeps();
  /// Commits the made picture, one for each row, in the target's own scale, to a session of what came before it, and
  /// returns the states [B,N',C], N' > 0, of the tokens that it committed. The words after it follow from the last.
  virtual Tensor keep(Session&, const Visual& made) = 0;
};

/// Mixin: has a condition that stands for nothing (zeros, a learned one). Without it that is the empty prompt's.
class BLIP3U_API Nulls {
 public:
  virtual ~Nulls();
  /// A condition like this one, in which the rows where `rows` [B] bool is true stand for nothing. Of the denoiser's
  /// own kind, differentiable as `prepare` is; must not outlive the session of the first.
  virtual std::unique_ptr<Condition> null(const Condition&, const Tensor& rows) = 0;
};

}  // namespace blip3u
