// Backbones that are wrong in one way each, and `sound`, from which they differ.
#include "sound_backbone.h"

namespace blip3u::mutants {
namespace {

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

/// Numbers tokens by their order, wherever they are said to stand.
class IgnoresPlaces : public SessionOf<IgnoresPlaces> {
  using SessionOf::SessionOf;
  Tensor append(const Block& block) override {
    Block plain = block;
    plain.places = Tensor();
    return SessionOf::append(plain);
  }
};

/// Takes places for positions from the beginning of the conversation.
class AbsolutePlaces : public SessionOf<AbsolutePlaces> {
  using SessionOf::SessionOf;
  Tensor append(const Block& block) override {
    Block moved = block;
    if (block.places.defined()) moved.places = block.places - past_.next.unsqueeze(1);
    return SessionOf::append(moved);
  }
};

/// The padding's places count when the next position is found.
class PaddingStands : public SessionOf<PaddingStands> {
  using SessionOf::SessionOf;
  Tensor append(const Block& block) override {
    const Tensor before = past_.next;
    Tensor hidden = SessionOf::append(block);
    if (block.commit && block.places.defined()) past_.next = torch::maximum(before, before + block.places.amax(1) + 1);
    return hidden;
  }
};

/// All rows have the groups of the first.
class GroupsOfFirst : public SessionOf<GroupsOfFirst> {
  using SessionOf::SessionOf;
  Tensor order(const Block& block) const override {
    if (!block.group.defined() || block.group.dim() == 1) return SoundSession::order(block);
    Block first = block;
    first.group = block.group[0];
    return SoundSession::order(first);
  }
};

/// A row that is all padding divides by its number of tokens.
class NanForPadding : public SessionOf<NanForPadding> {
  using SessionOf::SessionOf;
  Tensor append(const Block& block) override {
    const Tensor hidden = SessionOf::append(block);
    if (!block.valid.defined()) return hidden;
    const Tensor any = block.valid.any(1).to(hidden.scalar_type()).view({-1, 1, 1});
    return hidden / any;
  }
};

/// Its output layer knows the tokenizer's words alone.
class ForgetsExtraWords : public SoundBackbone {
 public:
  ForgetsExtraWords(const Parameters& parameters, const BuildContext& context)
      : SoundBackbone(parameters, context), vocabulary_(context.vocabulary) {}
  Tensor logits(const Tensor& hidden) override { return SoundBackbone::logits(hidden).slice(-1, 0, vocabulary_); }

 private:
  std::int64_t vocabulary_;
};

/// Forgets which tokens of a picture are padding.
class DropsValid : public SoundBackbone {
  using SoundBackbone::SoundBackbone;
  Block embed_visual(const Visual& visual) override {
    Block block = SoundBackbone::embed_visual(visual);
    block.valid = Tensor();
    return block;
  }
};

class Blind : public SoundBackbone {
  using SoundBackbone::SoundBackbone;
  Block embed_visual(const Visual& visual) override {
    Block block = SoundBackbone::embed_visual(visual);
    block.embeds = block.embeds - block.embeds.detach();
    return block;
  }
};

constexpr ComponentDescriptor with_experts(ComponentDescriptor descriptor) {
  descriptor.check = [](const Parameters& values, Wiring& wiring) {
    check(values, wiring);
    wiring.experts = 2;
  };
  return descriptor;
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
    backbone<Mutant<IgnoresPlaces>>("ignores_places", "Numbers tokens by their order, whatever their places."),
    backbone<Mutant<AbsolutePlaces>>("absolute_places", "Takes places for positions."),
    backbone<Mutant<PaddingStands>>("padding_stands", "Padding's places move the next position."),
    backbone<Mutant<GroupsOfFirst>>("groups_of_first", "All rows have the groups of the first."),
    backbone<Mutant<NanForPadding>>("nan_for_padding", "A row that is all padding has no numbers."),
    with_experts(backbone<SoundBackbone>("ignores_experts", "Says that it has two sets of weights, but has one.")),
    backbone<DropsValid>("drops_valid", "Takes the padding of a picture for a part of it."),
    backbone<Blind>("blind", "All pictures look the same to it."),
    backbone<ForgetsExtraWords>("forgets_extra_words", "Its logits are of the tokenizer's words alone."),
    backbone<Mutant<SharesPast>>("shares_past", "What is appended to a fork is appended to its origin too."),
};

}  // namespace
}  // namespace blip3u::mutants

BLIP3U_PLUGIN("mutant_backbones", "0.1.0", "Apache-2.0", blip3u::mutants::components)
