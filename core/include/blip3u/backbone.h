// backbone: an autoregressive language model that also reads images. Its session owns the one mask rule.
#pragma once

#include <memory>

#include "blip3u/component.h"
#include "blip3u/visual.h"

namespace blip3u {

/// A run of tokens that enters the backbone at once.
///
/// The mask rule: a token sees all earlier committed blocks; inside its block, query q sees key k iff
/// group[q] >= group[k]. 0,1,2,... is causal, all equal is bidirectional, scale indices are next-scale prediction.
/// No plugin ever builds another mask.
struct Block {
  Tensor embeds = {};       ///< [B,T,C]
  Tensor valid = {};        ///< [B,T] bool, false for padding, which nobody sees; undefined: all valid
  Tensor group = {};        ///< [T] int64; undefined: causal
  Tensor positions = {};    ///< [B,T] or, for multi-axis rotary, [B,T,A] int64; undefined: continue after the last
                            ///< committed valid token of the row
  std::int64_t expert = 0;  ///< which set of weights these tokens use (mixture of transformers)
  bool commit = true;       ///< false: no later block sees it (learnable queries, noised images, guesses)
};

/// Keys and values so far of a batch of sequences. Belongs to the backbone that began it, which must outlive it.
/// While gradients are enabled everything it returns is differentiable, also through the cache; appending the same
/// tokens in one block or in several gives the same hidden states (to rounding).
class BLIP3U_API Session {
 public:
  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  virtual ~Session();

  virtual std::int64_t batch() const = 0;

  /// Returns the hidden states [B,T,C] after the final norm. Padded places hold unspecified finite values.
  virtual Tensor append(const Block&) = 0;

  /// An independent continuation that shares the past (guidance contexts, edits, beams).
  virtual std::unique_ptr<Session> fork() const = 0;
};

class BLIP3U_API Backbone : public Component {
 public:
  ~Backbone() override;

  virtual std::int64_t width() const = 0;                          ///< C
  virtual Tensor embed(const Tensor& ids) = 0;                     ///< [B,T] int64 -> [B,T,C]
  virtual Tensor embed_visual(const Visual&) = 0;                  ///< what the encoder made -> [B,N,C]
  virtual Tensor logits(const Tensor& hidden) = 0;                 ///< [B,T,C] -> [B,T,vocabulary]
  virtual std::unique_ptr<Session> begin(std::int64_t batch) = 0;  ///< an empty session
};

}  // namespace blip3u
