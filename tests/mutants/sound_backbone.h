// A backbone in which nothing is wrong, from which the mutants differ.
#pragma once

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include <torch/torch.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "blip3u/backbone.h"
#include "blip3u/module_component.h"
#include "layers/attention.h"
#include "layers/feed_forward.h"
#include "layers/norm.h"

namespace blip3u::mutants {

/// One layer of attention with one head, over tokens that carry sinusoids of their positions.
class NetworkImpl : public torch::nn::Module {
 public:
  explicit NetworkImpl(std::int64_t width)
      : input_norm_(register_module("input_norm", layers::RMSNorm(width))),
        query_key_value_(register_module("query_key_value", torch::nn::Linear(width, 3 * width))),
        output_(register_module("output", torch::nn::Linear(width, width))),
        feed_forward_(register_module("feed_forward", layers::FeedForward(width, 2 * width, width))),
        output_norm_(register_module("output_norm", layers::RMSNorm(width))) {}

  /// Queries, keys and values of tokens [B,T,C] at positions [B or 1,T].
  std::vector<Tensor> read(const Tensor& embeds, const Tensor& positions) {
    return query_key_value_(input_norm_(embeds) + sinusoids(positions, embeds.size(-1))).chunk(3, -1);
  }

  /// The hidden states of tokens whose queries may see the keys where `allowed` [B,T,K] is true.
  Tensor answer(const Tensor& embeds, const Tensor& queries, const Tensor& keys, const Tensor& values,
                const Tensor& allowed) {
    const Tensor scores = torch::matmul(queries, keys.transpose(1, 2)) / std::sqrt(embeds.size(-1));
    const Tensor bias = layers::attention_bias(allowed, embeds.scalar_type());
    const Tensor hidden = embeds + output_(torch::matmul(torch::softmax(scores + bias, -1), values));
    return output_norm_(hidden + feed_forward_(hidden));
  }

 private:
  static Tensor sinusoids(const Tensor& positions, std::int64_t width) {
    const Tensor waves = torch::arange(width / 2, positions.options().dtype(at::kFloat)) / static_cast<double>(width);
    const Tensor angles = positions.to(at::kFloat).unsqueeze(-1) * torch::exp(waves * -10.0);
    return torch::cat({angles.sin(), angles.cos()}, -1);
  }

  layers::RMSNorm input_norm_;
  torch::nn::Linear query_key_value_, output_;
  layers::FeedForward feed_forward_;
  layers::RMSNorm output_norm_;
};
TORCH_MODULE(Network);

/// The committed tokens.
struct Past {
  Tensor keys, values;  ///< [B,L,C]
  Tensor valid;         ///< [B,L]
  Tensor next;          ///< [B]: the position that comes next
};

class SoundSession : public Session {
 public:
  SoundSession(Network network, Past past) : network_(std::move(network)), past_(std::move(past)) {}

  std::int64_t batch() const override { return past_.next.size(0); }

  Tensor append(const Block& block) override {
    check(block);
    const Past past = recall();
    const Tensor valid = validity(block);
    const Tensor count = valid.cumsum(1);
    const Tensor ahead = block.places.defined() ? block.places : count - 1;
    const Tensor positions = (past.next.unsqueeze(1) + ahead).clamp_min(0);
    const auto tokens = network_->read(block.embeds, positions);
    Past longer{.keys = torch::cat({past.keys, tokens[1]}, 1),
                .values = torch::cat({past.values, tokens[2]}, 1),
                .valid = torch::cat({past.valid, valid}, 1),
                .next = next_position(past.next, ahead, valid)};
    const Tensor own = order(block).logical_and(valid.unsqueeze(1));
    const Tensor allowed = torch::cat({past.valid.unsqueeze(1).expand({-1, own.size(1), -1}), own}, 2);
    const Tensor hidden = network_->answer(block.embeds, tokens[0], longer.keys, longer.values, allowed);
    if (keeps(block)) remember(std::move(longer));
    return hidden;
  }

  std::unique_ptr<Session> fork() const override { return std::make_unique<SoundSession>(network_, past_); }
  std::int64_t length() const override { return recall().keys.size(1); }
  std::size_t bytes() const override { return recall().keys.nbytes() + recall().values.nbytes(); }
  std::unique_ptr<Session> rows(const Tensor& index) const override {
    return std::make_unique<SoundSession>(network_, chosen(index));
  }

 protected:
  Past chosen(const Tensor& index) const {
    const Past past = recall();
    const auto choose = [&](const Tensor& tensor) { return tensor.index_select(0, index.to(tensor.device())); };
    return {choose(past.keys), choose(past.values), choose(past.valid), choose(past.next)};
  }

  virtual Past recall() const { return past_; }
  virtual void remember(Past past) { past_ = std::move(past); }
  virtual bool keeps(const Block& block) const { return block.commit; }

  /// Which tokens of the block are no padding: [B,T].
  virtual Tensor validity(const Block& block) const {
    return block.valid.defined() ? block.valid : torch::ones(block.embeds.sizes().slice(0, 2), past_.valid.options());
  }

  /// Which tokens of the block may see which others: [T,T].
  virtual Tensor order(const Block& block) const {
    const Tensor group =
        block.group.defined() ? block.group : torch::arange(block.embeds.size(1), past_.next.options());
    return group.unsqueeze(-1) >= group.unsqueeze(-2);
  }

  Network network_;
  Past past_;

 private:
  void check(const Block& block) const {
    const auto& sizes = block.embeds.sizes();
    const std::int64_t width = past_.keys.size(2);
    if (sizes.size() == 3 && sizes[0] == batch() && sizes[1] > 0 && sizes[2] == width) return;
    throw Error(Fault::plugin, fmt::format("backbone: a block must be [{}, T > 0, {}], but is [{}]", batch(), width,
                                           fmt::join(sizes.begin(), sizes.end(), ", ")));
  }

  /// One more than the largest place of each row's valid tokens, if it has one.
  static Tensor next_position(const Tensor& before, const Tensor& ahead, const Tensor& valid) {
    return before + (torch::where(valid, ahead, -1).amax(1) + 1).clamp_min(0);
  }
};

class SoundBackbone : public ModuleComponent<Backbone> {
 public:
  SoundBackbone(const Parameters& parameters, const BuildContext& context)
      : width_(parameters.integer("width")), device_(context.device), network_(width_) {
    if (context.vocabulary <= 0) throw Error(Fault::usage, "backbone: it needs a vocabulary; fit the tokenizer first");
    register_module("network", network_);
    const std::int64_t words = context.vocabulary + context.wiring.extra_words;
    words_ = register_parameter("words", learned_table({words, width_}, 0.5, context.seed, "words"));
    head_ = register_module("head", torch::nn::Linear(width_, words));
    if (const Layout& features = context.wiring.features; features.tokens > 0) {
      projector_ = register_module("projector", torch::nn::Linear(features.width, width_));
    }
    finish(context);
  }

  std::int64_t width() const override { return width_; }
  Tensor embed(const Tensor& ids) override { return torch::embedding(words_, ids); }
  Block embed_visual(const Visual& visual) override {
    if (!projector_.is_empty()) return {.embeds = projector_(visual.x), .valid = visual.valid};
    throw Error(Fault::usage, "backbone: it was built without an encoder, so it cannot read images; name one");
  }
  Tensor logits(const Tensor& hidden) override { return head_(hidden); }
  std::unique_ptr<Session> begin(std::int64_t batch) override {
    return std::make_unique<SoundSession>(network_, nothing(batch));
  }

 protected:
  Past nothing(std::int64_t batch) const {
    const auto options = torch::TensorOptions(device_);
    const Tensor empty = torch::zeros({batch, 0, width_}, words_.options().requires_grad(false));
    return {.keys = empty,
            .values = empty,
            .valid = torch::ones({batch, 0}, options.dtype(at::kBool)),
            .next = torch::zeros({batch}, options.dtype(at::kLong))};
  }

  std::int64_t width_;
  at::Device device_;
  Network network_;

 private:
  Tensor words_;
  torch::nn::Linear head_{nullptr}, projector_{nullptr};
};

/// A backbone with sessions of another class.
template <class OtherSession>
class Mutant : public SoundBackbone {
  using SoundBackbone::SoundBackbone;
  std::unique_ptr<Session> begin(std::int64_t batch) override {
    return std::make_unique<OtherSession>(network_, nothing(batch));
  }
};

/// A session whose forks and chosen rows are of its own class.
template <class Derived>
class SessionOf : public SoundSession {
  using SoundSession::SoundSession;
  std::unique_ptr<Session> fork() const override { return std::make_unique<Derived>(network_, past_); }
  std::unique_ptr<Session> rows(const Tensor& index) const override {
    return std::make_unique<Derived>(network_, chosen(index));
  }
};

inline constexpr ParameterSpec parameters[] = {
    integer("width", 32, 2, 4096, "width of the hidden states, an even number")};

inline void check(const Parameters& values, Wiring& wiring) {
  wiring.backbone_width = values.integer("width");
  if (wiring.backbone_width % 2 != 0) wiring.reject("width", "sines and cosines share it; choose an even number");
}

inline constexpr const char* provides[] = {"session"};

template <class T>
constexpr ComponentDescriptor backbone(const char* name, const char* summary) {
  return {.kind = Kind::backbone,
          .name = name,
          .summary = summary,
          .provides = provides,
          .parameters = parameters,
          .check = check,
          .create = create<T>};
}

}  // namespace blip3u::mutants
