// backbone: an autoregressive language model that also reads images. Its session owns the one mask rule.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "blip3u/component.h"
#include "blip3u/visual.h"

namespace blip3u {

class Generator;

/// A run of tokens that enters the backbone at once. Tensors are on the backbone's device and are never written to.
///
/// The mask rule: a token sees all earlier committed blocks; inside its block, query q sees key k iff
/// group[q] >= group[k]. 0,1,2,... is causal, all equal is bidirectional, scale indices are next-scale prediction.
/// No plugin ever builds another mask.
///
/// The place rule: a session has a next position for each row, 0 at first. A token stands at next + place, on every
/// axis. After a committed block, next is one more than the largest position, over all axes, of the row's valid tokens
/// (so Qwen2-VL, Wang et al. 2024, arXiv:2409.12191, numbers frames, rows and columns); it never goes back, and a row
/// without valid tokens keeps it. Places of zero give a whole picture one position (BAGEL, Deng et al. 2025,
/// arXiv:2505.14683).
struct Block {
  Tensor embeds = {};          ///< [B,T,C], T > 0
  Tensor valid = {};           ///< [B,T] bool, false for padding, which nobody sees; undefined: all valid (faster)
  Tensor group = {};           ///< [T] or [B,T] int64; undefined: causal
  Tensor places = {};          ///< [B,T] or, for multi-axis rotary, [B,T,A] int64; undefined: 0, 1, 2, ... over the
                               ///< row's valid tokens. Those of padding do not matter
  Tensor expert = {};          ///< [T] or [B,T] int64 in [0, Wiring::experts): whose weights a token uses (mixture of
                               ///< transformers, Liang et al. 2024, arXiv:2411.04996); undefined: 0. May stay on the
                               ///< CPU, where it is read without waiting for the device
  bool commit = true;          ///< false: no later block sees it (learnable queries, noised images, guesses)
  Generator* noise = nullptr;  ///< of B rows, for dropout while training; null: nothing is dropped. Not owned
};

/// Keys and values so far of a batch of sequences. Belongs to the backbone that began it, which must outlive it, and is
/// used by the same thread. While gradients are enabled everything it returns is differentiable, also through the
/// cache; appending the same tokens in one block or in several gives the same hidden states (to rounding). A block that
/// does not fit is refused with Error, which leaves the session as it was.
class BLIP3U_API Session {
 public:
  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  virtual ~Session();

  virtual std::int64_t batch() const = 0;  ///< B

  /// Returns the hidden states [B,T,C] after the final norm. Padded places hold unspecified finite values.
  virtual Tensor append(const Block&) = 0;

  /// An independent continuation that shares the past (guidance contexts, edits, beams). It may outlive this session.
  virtual std::unique_ptr<Session> fork() const = 0;

  /// Columns of the cache: committed tokens of a row, padding included. Known without waiting for the device; the next
  /// position may be another number.
  virtual std::int64_t length() const = 0;

  /// Memory of keys and values, room to grow and what is shared with forks included.
  virtual std::size_t bytes() const = 0;

  /// A new, independent session of the rows `index` [B'] int64, B' > 0, in that order: to drop the finished ones,
  /// repeat one for several samples, or reorder beams. `index` may be on any device.
  virtual std::unique_ptr<Session> rows(const Tensor& index) const = 0;
};

/// Of backbones whose sessions can be put together, so that requests can join a running batch.
class BLIP3U_API Joins {
 public:
  virtual ~Joins();

  /// One new, independent session of all rows of all `sessions`, in this order; at least one, each begun by this
  /// backbone. Their lengths may differ; the shorter ones are padded.
  virtual std::unique_ptr<Session> join(std::span<Session* const> sessions) = 0;
};

/// Its table of words and its output layer have BuildContext::vocabulary + Wiring::extra_words rows. Its `check` sets
/// Wiring::backbone_width and, if there are several, Wiring::experts.
class BLIP3U_API Backbone : public Component {
 public:
  ~Backbone() override;

  virtual std::int64_t width() const = 0;       ///< C
  virtual Tensor embed(const Tensor& ids) = 0;  ///< [B,T] int64 -> [B,T,C]

  /// The block that shows pictures to a session: embeds [B,N,C] with the group, places and expert that this backbone
  /// reads pictures with, and `valid` where rows have fewer tokens. Visual::source says which of Wiring::reads made
  /// them; where Wiring::reads is empty, the one encoder is that of Wiring::features.
  virtual Block embed_visual(const Visual&) = 0;

  virtual Tensor logits(const Tensor& hidden) = 0;                 ///< [B,T,C] -> [B,T,vocabulary + extra words]
  virtual std::unique_ptr<Session> begin(std::int64_t batch) = 0;  ///< an empty session
};

}  // namespace blip3u
