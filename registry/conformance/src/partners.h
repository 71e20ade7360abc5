// The rest of the pipeline, as small as it can be: what a component under test is given to work with.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "blip3u/backbone.h"
#include "blip3u/denoiser.h"
#include "blip3u/plugin.h"
#include "blip3u/visual.h"

namespace blip3u::conformance {

/// [rows, shape...] standard normal numbers on `device`, whatever else was drawn.
Tensor normal(at::IntArrayRef row_shape, std::int64_t rows, std::uint64_t seed, at::Device device);

/// [rows, length] ids from 3 on, below the vocabulary.
Tensor words(std::int64_t rows, std::int64_t length, const BuildContext& context, std::uint64_t seed);

/// [rows,3,S,S] in [-1,1].
Tensor images(std::int64_t rows, const BuildContext& context, std::uint64_t seed);

/// What an encoder of this layout could have made: features [rows,N,D], or codes [rows,N,R].
Tensor image_tokens(const Layout& layout, std::int64_t rows, std::uint64_t seed, at::Device device);
Visual as_visual(const Layout& layout, const Tensor& tokens);

/// The sum of all terms, each normalised; undefined if there is none.
Tensor total(const std::vector<Loss>& losses);

/// One layer of attention with fixed weights, which obeys the mask rule.
class TinySession : public Session {
 public:
  explicit TinySession(std::int64_t batch) : batch_(batch) {}

  std::int64_t batch() const override { return batch_; }
  Tensor append(const Block& block) override;
  std::unique_ptr<Session> fork() const override;
  std::int64_t length() const override;
  std::size_t bytes() const override;
  std::unique_ptr<Session> rows(const Tensor& index) const override;

 private:
  std::int64_t batch_;
  Tensor past_, past_valid_;  // [B,L,C] and [B,L], undefined while nothing is committed
};

/// A backbone of such sessions, whose fixed table of words is its output layer too: for components that look at
/// Peers::backbone.
class TinyBackbone : public Backbone {
 public:
  TinyBackbone(std::int64_t words, std::int64_t width, at::Device device);

  std::int64_t width() const override { return table_.size(1); }
  Tensor embed(const Tensor& ids) override;
  Block embed_visual(const Visual& visual) override;
  Tensor logits(const Tensor& hidden) override;
  std::unique_ptr<Session> begin(std::int64_t batch) override { return std::make_unique<TinySession>(batch); }

 private:
  Tensor table_;  // [words,width]
};

/// A session that has read `embeds` [B,T,C].
std::unique_ptr<Session> read(const Tensor& embeds);

/// A denoiser that is any function.
class FunctionDenoiser : public Denoiser {
 public:
  using Predict = std::function<Tensor(const Tensor& x, const Tensor& time, const Condition& condition)>;
  explicit FunctionDenoiser(Predict predict) : predict_(std::move(predict)) {}

  std::unique_ptr<Condition> prepare(const Given& given) override {
    return std::make_unique<Condition>(&given.context);
  }
  Tensor predict(const Prediction& asked) override { return predict_(asked.noised.x, asked.time, asked.condition); }

 private:
  Predict predict_;
};

/// A denoiser of codes. The logits of a first level follow from the last code of the group before, those of a further
/// level from the level before; both are linear in the condition's tokens [B,1,1].
class CodeDenoiser : public Denoiser, public Streams {
 public:
  explicit CodeDenoiser(Layout layout);

  std::unique_ptr<Condition> prepare(const Given& given) override {
    return std::make_unique<Condition>(&given.context);
  }
  Tensor predict(const Prediction& asked) override;
  std::unique_ptr<Stream> stream(const Condition& condition) override;

 private:
  class Levels;

  /// [B,n] codes -> [B,n,K].
  Tensor logits(const Tensor& before, const Condition& condition) const;

  Layout layout_;  // with its groups
};

}  // namespace blip3u::conformance
