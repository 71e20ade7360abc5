// Backbones that are wrong in one way each, and `sound`, from which they differ.
#include <cmath>
#include <memory>
#include <utility>

#include <torch/torch.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "blip3u/backbone.h"
#include "blip3u/module_component.h"
#include "layers/attention.h"
#include "layers/feed_forward.h"
#include "layers/norm.h"

namespace blip3u::mutants {
namespace {

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
  std::int64_t length() const override { return past_.keys.size(1); }
  std::size_t bytes() const override { return past_.keys.nbytes() + past_.values.nbytes(); }
  std::unique_ptr<Session> rows(const Tensor& index) const override {
    const auto choose = [&](const Tensor& tensor) { return tensor.index_select(0, index.to(tensor.device())); };
    return std::make_unique<SoundSession>(
        network_, Past{choose(past_.keys), choose(past_.values), choose(past_.valid), choose(past_.next)});
  }

 protected:
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
    words_ = register_parameter("words", learned_table({context.vocabulary, width_}, 0.5, context.seed, "words"));
    head_ = register_module("head", torch::nn::Linear(width_, context.vocabulary));
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

/// A session whose forks are of its own class.
template <class Derived>
class SessionOf : public SoundSession {
  using SoundSession::SoundSession;
  std::unique_ptr<Session> fork() const override { return std::make_unique<Derived>(network_, past_); }
};

class SeesFuture : public SessionOf<SeesFuture> {
  using SessionOf::SessionOf;
  Tensor order(const Block& block) const override { return torch::ones_like(SoundSession::order(block)); }
};

/// Drops the oldest key with every block, like a window of attention that nobody asked for.
class ForgetsEntry : public SessionOf<ForgetsEntry> {
  using SessionOf::SessionOf;
  void remember(Past past) override {
    const std::int64_t first = past_.keys.size(1) > 0 ? 1 : 0;
    past_ = {past.keys.slice(1, first), past.values.slice(1, first), past.valid.slice(1, first), past.next};
  }
};

/// Each block's positions start at zero.
class ForgetsPosition : public SessionOf<ForgetsPosition> {
  using SessionOf::SessionOf;
  void remember(Past past) override {
    past.next = torch::zeros_like(past.next);
    SoundSession::remember(std::move(past));
  }
};

class DetachesCache : public SessionOf<DetachesCache> {
  using SessionOf::SessionOf;
  void remember(Past past) override { past_ = {past.keys.detach(), past.values.detach(), past.valid, past.next}; }
};

/// One position for the whole batch, that of its longest row.
class SharesPosition : public SessionOf<SharesPosition> {
  using SessionOf::SessionOf;
  void remember(Past past) override {
    past.next = past.next.max().expand_as(past.next).clone();
    SoundSession::remember(std::move(past));
  }
};

class AltersBlock : public SessionOf<AltersBlock> {
  using SessionOf::SessionOf;
  Tensor append(const Block& block) override {
    Tensor embeds = block.embeds;  // the same storage
    embeds.mul_(0.5);
    return SessionOf::append(block);
  }
};

class CommitsGuesses : public SessionOf<CommitsGuesses> {
  using SessionOf::SessionOf;
  bool keeps(const Block&) const override { return true; }
};

class SeesPadding : public SessionOf<SeesPadding> {
  using SessionOf::SessionOf;
  Tensor validity(const Block& block) const override {
    return torch::ones(block.embeds.sizes().slice(0, 2), past_.valid.options());
  }
};

/// Its forks are not copies of the past but views of it: what one appends, the other sees.
class SharesPast : public SoundSession {
 public:
  SharesPast(Network network, const Past& past)
      : SoundSession(std::move(network), past), shared_(std::make_shared<Past>(past)) {}
  std::unique_ptr<Session> fork() const override {
    auto result = std::make_unique<SharesPast>(network_, past_);
    result->shared_ = shared_;
    return result;
  }

 private:
  Past recall() const override { return *shared_; }
  void remember(Past past) override { *shared_ = std::move(past); }
  std::shared_ptr<Past> shared_;
};

constexpr ParameterSpec parameters[] = {integer("width", 32, 2, 4096, "width of the hidden states, an even number")};

void check(const Parameters& values, Wiring& wiring) {
  wiring.backbone_width = values.integer("width");
  if (wiring.backbone_width % 2 != 0) wiring.reject("width", "sines and cosines share it; choose an even number");
}

constexpr const char* provides[] = {"session"};

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

constexpr ComponentDescriptor components[] = {
    backbone<SoundBackbone>("sound", "Nothing is wrong with it."),
    backbone<Mutant<SeesFuture>>("sees_future", "The tokens of a block see those behind them."),
    backbone<Mutant<ForgetsEntry>>("forgets_entry", "Each block but the first drops the oldest token of the cache."),
    backbone<Mutant<ForgetsPosition>>("forgets_position", "Each block's positions start at zero."),
    backbone<Mutant<SharesPosition>>("shares_position", "All rows of a batch have the position of the longest."),
    backbone<Mutant<AltersBlock>>("alters_block", "Halves the embeddings of a block in place."),
    backbone<Mutant<DetachesCache>>("detaches_cache", "No gradient comes back through its cache."),
    backbone<Mutant<CommitsGuesses>>("commits_guesses", "Keeps blocks that were not to be committed."),
    backbone<Mutant<SeesPadding>>("sees_padding", "Takes padding for tokens."),
    backbone<Mutant<SharesPast>>("shares_past", "What is appended to a fork is appended to its origin too."),
};

}  // namespace
}  // namespace blip3u::mutants

BLIP3U_PLUGIN("mutant_backbones", "0.1.0", "Apache-2.0", blip3u::mutants::components)
