// Backbones whose sessions are wrong in one way each, and sound ones.
#include "sound_backbone.h"

namespace blip3u::mutants {
namespace {

/// Forgets that an index need not be in order.
class RowsInOrder : public SessionOf<RowsInOrder> {
  using SessionOf::SessionOf;
  std::unique_ptr<Session> rows(const Tensor& index) const override {
    return std::make_unique<SoundSession>(network_, chosen(std::get<0>(index.sort())));
  }
};

class RowsForgetPosition : public SessionOf<RowsForgetPosition> {
  using SessionOf::SessionOf;
  std::unique_ptr<Session> rows(const Tensor& index) const override {
    Past past = chosen(index);
    past.next = torch::zeros_like(past.next);
    return std::make_unique<SoundSession>(network_, std::move(past));
  }
};

class CountsUncommitted : public SessionOf<CountsUncommitted> {
  using SessionOf::SessionOf;
  Tensor append(const Block& block) override {
    seen_ += block.embeds.size(1);
    return SessionOf::append(block);
  }
  std::int64_t length() const override { return seen_; }
  std::int64_t seen_ = SessionOf::length();
};

class WeighsNothing : public SessionOf<WeighsNothing> {
  using SessionOf::SessionOf;
  std::size_t bytes() const override { return 0; }
};

/// What it takes before it looks at a block stays.
class SpoiltByRefusal : public SessionOf<SpoiltByRefusal> {
  using SessionOf::SessionOf;
  Tensor append(const Block& block) override {
    const Tensor before = past_.next;
    past_.next = before + 1;
    const Tensor hidden = SessionOf::append(block);  // throws
    past_.next = past_.next - 1;
    return hidden;
  }
};

/// Its forks look for their past where it keeps it for them.
class NeedsOrigin : public SoundSession {
 public:
  using SoundSession::SoundSession;
  ~NeedsOrigin() override {
    for (const auto& past : lent_) past->keys = torch::zeros_like(past->keys);
  }
  std::unique_ptr<Session> fork() const override {
    auto result = std::make_unique<NeedsOrigin>(network_, past_);
    result->borrowed_ = lent_.emplace_back(std::make_shared<Past>(recall()));
    return result;
  }

 private:
  Past recall() const override { return borrowed_ ? *borrowed_ : past_; }
  void remember(Past past) override {
    borrowed_.reset();
    past_ = std::move(past);
  }
  mutable std::vector<std::shared_ptr<Past>> lent_;
  std::shared_ptr<Past> borrowed_;
};

/// A reserve of memory that forks share, into which each writes behind what it sees.
class WritesIntoReserve : public SoundSession {
 public:
  using SoundSession::SoundSession;
  std::unique_ptr<Session> fork() const override {
    auto result = std::make_unique<WritesIntoReserve>(network_, past_);
    result->reserve_ = reserve_;
    return result;
  }

 private:
  Past recall() const override {
    if (!reserve_.defined()) return past_;
    Past past = past_;
    past.keys = reserve_.slice(1, 0, past_.keys.size(1));
    return past;
  }
  void remember(Past past) override {
    const std::int64_t length = past.keys.size(1);
    if (torch::GradMode::is_enabled()) {
      reserve_ = Tensor();
    } else {
      if (!reserve_.defined() || reserve_.size(1) < length) {
        reserve_ = torch::zeros({past.keys.size(0), 2 * length + 64, past.keys.size(2)}, past.keys.options());
        reserve_.slice(1, 0, length).copy_(past.keys);
      }
      const std::int64_t before = past_.keys.size(1);
      reserve_.slice(1, before, length).copy_(past.keys.slice(1, before));
    }
    past_ = std::move(past);
  }
  Tensor reserve_;
};

class DetachesForks : public SoundSession {
 public:
  using SoundSession::SoundSession;
  std::unique_ptr<Session> fork() const override {
    return std::make_unique<DetachesForks>(network_,
                                           Past{past_.keys.detach(), past_.values.detach(), past_.valid, past_.next});
  }
};

/// Keeps the last 64 columns.
class WindowOf64 : public SessionOf<WindowOf64> {
  using SessionOf::SessionOf;
  void remember(Past past) override {
    past_ = {past.keys.slice(1, -64), past.values.slice(1, -64), past.valid.slice(1, -64), past.next};
  }
};

/// Sessions that can be looked into.
class OpenSession : public SessionOf<OpenSession> {
 public:
  using SessionOf::SessionOf;
  const Past& past() const { return past_; }
};

class Joining : public Mutant<OpenSession>, public Joins {
 public:
  using Mutant::Mutant;
  std::unique_ptr<Session> join(std::span<Session* const> sessions) override {
    std::int64_t longest = 0;
    for (const Session* session : sessions) longest = std::max(longest, session->length());
    std::vector<Tensor> keys, values, valid, next;
    for (Session* const session : sessions) {
      const Past& past = dynamic_cast<OpenSession&>(*session).past();
      const std::int64_t missing = longest - past.keys.size(1);
      keys.push_back(torch::constant_pad_nd(past.keys, {0, 0, 0, missing}));
      values.push_back(torch::constant_pad_nd(past.values, {0, 0, 0, missing}));
      valid.push_back(torch::constant_pad_nd(past.valid, {0, missing}, sees_filling()));
      next.push_back(past.next);
    }
    return std::make_unique<OpenSession>(
        network_, Past{torch::cat(keys), torch::cat(values), torch::cat(valid), positions(torch::cat(next))});
  }

 private:
  virtual bool sees_filling() const { return false; }
  virtual Tensor positions(const Tensor& own) const { return own; }
};

class JoinsAtLongest : public Joining {
  using Joining::Joining;
  Tensor positions(const Tensor& own) const override { return own.max().expand_as(own).clone(); }
};

class JoinsWithFilling : public Joining {
  using Joining::Joining;
  bool sees_filling() const override { return true; }
};

constexpr ComponentDescriptor components[] = {
    backbone<Joining>("sound", "Nothing is wrong with it; its sessions can be joined."),
    backbone<Mutant<RowsInOrder>>("rows_in_order", "Chosen rows come in ascending order."),
    backbone<Mutant<RowsForgetPosition>>("rows_forget_position", "The positions of chosen rows start at zero."),
    backbone<Mutant<CountsUncommitted>>("counts_uncommitted", "Its length counts blocks that were not committed."),
    backbone<Mutant<WeighsNothing>>("weighs_nothing", "Says that its sessions need no memory."),
    backbone<Mutant<SpoiltByRefusal>>("spoilt_by_refusal", "A block that it refuses moves its next position."),
    backbone<Mutant<NeedsOrigin>>("needs_origin", "A fork forgets its past when its origin is gone."),
    backbone<Mutant<WritesIntoReserve>>("writes_into_reserve", "A fork writes where its origin writes."),
    backbone<Mutant<DetachesForks>>("detaches_forks", "No gradient comes back through a fork."),
    backbone<Mutant<WindowOf64>>("window_of_64", "Sees the last 64 tokens of the cache."),
    backbone<JoinsAtLongest>("joins_at_longest", "Joined rows all have the position of the longest."),
    backbone<JoinsWithFilling>("joins_with_filling", "Joined rows see what fills the shorter ones."),
};

}  // namespace
}  // namespace blip3u::mutants

BLIP3U_PLUGIN("mutant_sessions", "0.1.0", "Apache-2.0", blip3u::mutants::components)
