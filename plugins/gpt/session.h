// The session of the gpt backbone, which owns the one mask rule (blip3u/backbone.h).
#pragma once

#include <memory>
#include <vector>

#include "blip3u/backbone.h"
#include "gpt/stack.h"

namespace blip3u::gpt {

/// What every session of one backbone shares.
struct Network {
  StackOptions options;
  double rotary_theta = 0;
  std::vector<Stack> experts;
};

class GptSession : public Session {
 public:
  GptSession(Network& network, std::int64_t batch, at::Device device);

  std::int64_t batch() const override { return batch_; }
  Tensor append(const Block& block) override;
  std::unique_ptr<Session> fork() const override;

 private:
  void check(const Block& block) const;
  Tensor positions(const Block& block) const;
  Tensor next_positions(const Block& block, const Tensor& positions) const;
  Sight sight(const Block& block) const;

  /// The committed blocks. Tensors are replaced, never written to, so that a copy of this is a fork.
  struct Past {
    std::vector<Cache> caches;  ///< one for each layer
    Tensor valid;               ///< [B,L] bool; undefined: nothing is padded
    Tensor next;                ///< [B] int64, or [1] for all rows alike: the position that comes next
    std::int64_t length = 0;    ///< L
  };

  Network& network_;
  std::int64_t batch_;
  Past past_;
};

}  // namespace blip3u::gpt
