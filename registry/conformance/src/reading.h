// What the checks of backbones share.
#pragma once

#include <array>
#include <memory>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "blip3u/backbone.h"
#include "kinds.h"
#include "partners.h"

namespace blip3u::conformance {

/// Of the usual text.
inline constexpr std::int64_t length = 7;

inline Backbone& backbone(Component& component) { return dynamic_cast<Backbone&>(component); }

/// A copy, so that a session that writes to its input spoils one check alone.
inline Block block_of(const Tensor& embeds) {
  Block block;
  block.embeds = embeds.clone();
  return block;
}

inline Tensor row_of(const Tensor& tensor, std::int64_t row) { return tensor.narrow(0, row, 1); }

/// A disturbed backbone, text for it, and what the checks do with both. Without gradients.
class Reader {
 public:
  explicit Reader(const Subject& subject)
      : subject_(subject), component_(subject.make_disturbed()), embeds(text(length, 5)), noise(noise_of(embeds)) {}

  Backbone& backbone() const { return conformance::backbone(*component_); }
  std::unique_ptr<Session> begin(std::int64_t batch = rows) const { return backbone().begin(batch); }
  Tensor hidden(Block block) const {
    block.embeds = block.embeds.clone();  // as in block_of
    return begin(block.embeds.size(0))->append(block);
  }

  /// [B,count,C]; different numbers give different words.
  Tensor text(std::int64_t count, std::uint64_t number) const {
    return backbone().embed(words(rows, count, subject_.context(), subject_.options().seed + number));
  }

  at::TensorOptions numbers() const { return at::TensorOptions(at::kLong).device(subject_.context().device); }
  Tensor range(std::int64_t count) const { return at::arange(count, numbers()); }
  Tensor tensor(at::IntArrayRef values) const { return at::tensor(values, at::kLong).to(numbers().device()); }

  /// The usual text, of which each row has so many tokens.
  Block padded(const std::array<std::int64_t, rows>& lengths) const {
    Block block = block_of(embeds);
    block.valid = range(length).unsqueeze(0) < tensor(lengths).unsqueeze(1);
    return block;
  }

 private:
  Tensor noise_of(const Tensor& like) const {
    return normal(like.sizes().slice(1), rows, subject_.options().seed + 6, like.device());
  }

  const at::NoGradGuard no_gradient_;
  const Subject& subject_;
  std::unique_ptr<Component> component_;

 public:
  const Tensor embeds, noise;  // [B,T,C]
};

inline void compare(const Tensor& found, const Tensor& expected, const char* what) {
  constexpr double rounding = 1e-4;
  if (const double distance = difference(found, expected); !(distance <= rounding)) {
    fail("{} (they differ by {:.2g})", what, distance);
  }
}

// Of the mask and place rules.
void block_unaltered(const Subject& subject);
void causality(const Subject& subject);
std::string places(const Subject& subject);
std::string experts(const Subject& subject);
std::string pictures(const Subject& subject);  // where there is an encoder of features

// Of the cache.
void cache(const Subject& subject);
void long_context(const Subject& subject);
void cache_gradients(const Subject& subject);
std::string sessions(const Subject& subject);

}  // namespace blip3u::conformance
