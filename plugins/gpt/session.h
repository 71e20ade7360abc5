// The session of the gpt backbone, which owns the one mask rule (blip3u/backbone.h).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "blip3u/backbone.h"
#include "gpt/stack.h"

namespace blip3u::gpt {

/// What every session of one backbone shares.
struct Network {
  StackOptions options;
  layers::Rotary rotary;
  std::vector<Stack> experts;
};

class GptSession : public Session {
 public:
  GptSession(Network& network, std::int64_t batch);

  std::int64_t batch() const override { return batch_; }
  Tensor append(const Block& block) override;
  std::unique_ptr<Session> fork() const override;
  std::int64_t length() const override { return past_.length; }
  std::size_t bytes() const override { return past_.memory->bytes(); }
  std::unique_ptr<Session> rows(const Tensor& index) const override;

  static std::unique_ptr<Session> join(Network& network, std::span<Session* const> sessions);

 private:
  /// The committed blocks. A copy of this is a fork.
  struct Past {
    std::shared_ptr<Memory> memory;
    std::int64_t length = 0;  ///< columns of the memory that this session sees
    Tensor valid;             ///< [B,length] bool; undefined: nothing is padded
    Tensor next;              ///< [B] int64, the position that comes next; undefined: `shared_next` in all rows
    std::int64_t shared_next = 0;
  };

  /// Where the tokens of a block stand, and what comes after it.
  struct Standing {
    layers::RotaryTable rotary;
    Tensor next;
    std::int64_t shared_next = 0;
  };

  void check(const Block& block) const;
  Tensor experts_of(const Block& block) const;
  Standing stand(const Block& block) const;
  Sight sight(const Block& block) const;
  Tensor next() const;   ///< [B]
  Tensor valid() const;  ///< [B,length]
  at::TensorOptions flags() const { return at::TensorOptions(network_.rotary.device()).dtype(at::kBool); }
  at::TensorOptions numbers() const { return at::TensorOptions(network_.rotary.device()).dtype(at::kLong); }

  Network& network_;
  std::int64_t batch_;
  Past past_;
};

}  // namespace blip3u::gpt
