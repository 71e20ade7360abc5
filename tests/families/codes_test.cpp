// Codes that are made otherwise than one table and one head: residual levels (RQ-Transformer, Lee et al. 2022,
// arXiv:2203.01941), masked places (MaskGIT, Chang et al. 2022, arXiv:2202.04200), and words of the backbone's own
// vocabulary (Chameleon, 2024, arXiv:2405.09818).
#include "families/in_context.h"

namespace blip3u::testing {
namespace {

constexpr std::int64_t places = 4, codebook = 7;

BuildContext context_of_codes(std::int64_t depth) {
  BuildContext context = small_context();
  context.wiring.features = make_layout(places, 6);
  context.wiring.features.codebook = codebook;
  context.wiring.features.depth = depth;
  context.wiring.features.groups.assign(places, 1);
  return context;
}

Tensor some_codes(std::int64_t depth) {
  return (Generator::for_rows(8, 0, 2).uniform({places, depth}, at::kCPU) * codebook).to(at::kLong);
}

std::unique_ptr<Session> read(Backbone& gpt) {
  auto session = gpt.begin(2);
  Block block;
  block.embeds = gpt.embed(at::tensor({1, 4, 5, 1, 6, 7}, at::kLong).view({2, 3}));
  session->append(block);
  return session;
}

Tensor code_loss(Denoiser& denoiser, const Tensor& shown, const Tensor& codes, const Condition& condition) {
  const Tensor logits =
      denoiser.predict({.noised = {{}, shown}, .time = at::zeros({codes.size(0)}), .condition = condition});
  return at::cross_entropy_loss(logits.flatten(0, 2), codes.flatten());
}

/// A place's hidden state gives the first level; each further one is told the levels before it.
class Residual : public ModuleComponent<Denoiser>, public Streams {
 public:
  explicit Residual(const BuildContext& context) : depth_(context.wiring.features.depth) {
    const std::int64_t width = context.wiring.backbone_width;
    table_ = register_parameter("table", learned_table({depth_, codebook, width}, 0.5, context.seed, "table"));
    start_ = register_parameter("start", learned_table({1, width}, 0.5, context.seed, "start"));
    mix_ = register_module("mix", torch::nn::Linear(width, width));
    head_ = register_module("head", torch::nn::Linear(width, depth_ * codebook));
    finish(context);
  }

  std::unique_ptr<Condition> prepare(const Given& given) override {
    return std::make_unique<Condition>(&given.context);
  }

  Tensor predict(const Prediction& asked) override {
    const Tensor& codes = asked.noised.codes;
    Block block;
    block.embeds = at::cat({start(codes.size(0)), sum(codes.slice(1, 0, -1), depth_)}, 1);
    block.commit = false;
    const Tensor hidden = asked.condition.context->append(block);
    std::vector<Tensor> levels;
    for (std::int64_t level = 0; level < depth_; ++level) levels.push_back(head(hidden, codes, level));
    return at::stack(levels, 2);
  }

  std::unique_ptr<Stream> stream(const Condition& condition) override {
    return std::make_unique<Levels>(*this, *condition.context);
  }

 private:
  class Levels : public Stream {
   public:
    Levels(Residual& owner, Session& context)
        : owner_(owner), session_(context.fork()), embeds_(owner.start(context.batch())) {}
    Tensor scores() override {
      if (level_ == 0) {
        Block block;
        block.embeds = embeds_;
        hidden_ = session_->append(block);
        codes_ = at::empty({embeds_.size(0), 1, 0}, at::kLong);
      }
      return owner_.head(hidden_, codes_, level_);
    }
    void push(const Tensor& chosen) override {
      codes_ = at::cat({codes_, chosen.unsqueeze(-1)}, 2);
      if (++level_ < owner_.depth_) return;
      embeds_ = owner_.sum(codes_, level_);
      level_ = 0;
      ++group_;
    }
    bool done() const override { return group_ == places; }

   private:
    Residual& owner_;
    std::unique_ptr<Session> session_;
    Tensor embeds_, hidden_, codes_;
    std::int64_t level_ = 0, group_ = 0;
  };

  Tensor start(std::int64_t rows) { return start_.expand({rows, 1, -1}); }
  /// Of the first `levels` codes: [B,n,C].
  Tensor sum(const Tensor& codes, std::int64_t levels) {
    Tensor result = at::zeros({codes.size(0), codes.size(1), table_.size(2)});
    for (std::int64_t level = 0; level < levels; ++level) {
      result = result + at::embedding(table_[level], codes.select(2, level));
    }
    return result;
  }
  Tensor head(const Tensor& hidden, const Tensor& codes, std::int64_t level) {
    return head_(at::gelu(mix_(hidden + sum(codes, level)))).unflatten(-1, {depth_, codebook}).select(2, level);
  }

  std::int64_t depth_;
  Tensor table_, start_;
  torch::nn::Linear mix_{nullptr}, head_{nullptr};
};

TEST(ResidualCodes, FourLevelsWithADepthHead) {
  const BuildContext context = context_of_codes(4);
  const auto gpt = small_gpt();
  Residual denoiser(context);
  const Tensor codes = some_codes(4);
  const Progress loss = train(
      {gpt.get(), &denoiser},
      [&] {
        const auto session = read(*gpt);
        return code_loss(denoiser, codes, codes, *denoiser.prepare({.context = *session}));
      },
      80);
  EXPECT_LT(loss.after, 0.3 * loss.before);

  const torch::NoGradGuard no_gradient;
  const auto session = read(*gpt);
  const auto condition = denoiser.prepare({.context = *session});
  const Tensor forced = denoiser.predict({.noised = {{}, codes}, .time = at::zeros({2}), .condition = *condition});
  EXPECT_EQ(forced.sizes(), (std::vector<std::int64_t>{2, places, 4, codebook}));
  const auto stream = denoiser.stream(*condition);
  std::int64_t asked = 0;
  for (; !stream->done(); ++asked) {
    const Tensor scores = stream->scores();
    const Tensor expected = forced.slice(1, asked / 4, asked / 4 + 1).select(2, asked % 4);
    EXPECT_LT(largest_difference(scores, expected), 1e-5) << asked;
    EXPECT_TRUE(at::equal(scores.argmax(-1), codes.slice(1, asked / 4, asked / 4 + 1).select(2, asked % 4))) << asked;
    stream->push(codes.slice(1, asked / 4, asked / 4 + 1).select(2, asked % 4));
  }
  EXPECT_EQ(asked, places * 4);
}

/// All places see each other; a masked one has the last row of the table.
class Masked : public ModuleComponent<Denoiser> {
 public:
  explicit Masked(const BuildContext& context) {
    const std::int64_t width = context.wiring.backbone_width;
    table_ = register_parameter("table", learned_table({codebook + 1, width}, 0.5, context.seed, "table"));
    positions_ = register_parameter("positions", learned_table({places, width}, 0.5, context.seed, "positions"));
    head_ = register_module("head", torch::nn::Linear(width, codebook));
    finish(context);
  }

  std::unique_ptr<Condition> prepare(const Given& given) override {
    return std::make_unique<Condition>(&given.context);
  }

  Tensor predict(const Prediction& asked) override {
    const Tensor codes = asked.noised.codes.squeeze(2);
    Block block;
    block.embeds = at::embedding(table_, at::where(codes < 0, codebook, codes)) + positions_;
    block.group = at::zeros({places}, at::kLong);
    block.commit = false;
    return head_(asked.condition.context->append(block)).unsqueeze(2);
  }

 private:
  Tensor table_, positions_;
  torch::nn::Linear head_{nullptr};
};

TEST(MaskedCodes, AreFilledInSeveralRounds) {
  const auto gpt = small_gpt();
  Masked denoiser(context_of_codes(1));
  const Tensor codes = some_codes(1);
  Generator noise = Generator::for_rows(5, 0, 2);
  const Progress loss = train(
      {gpt.get(), &denoiser},
      [&] {
        const auto session = read(*gpt);
        const Tensor share = noise.uniform({1, 1}, at::kCPU), drawn = noise.uniform({places, 1}, at::kCPU);
        return code_loss(denoiser, at::where(drawn < share, codes, -1), codes,
                         *denoiser.prepare({.context = *session}));
      },
      80);
  EXPECT_LT(loss.after, 0.3 * loss.before);

  // The surest place of each row is kept in each round.
  const torch::NoGradGuard no_gradient;
  const auto session = read(*gpt);
  const auto condition = denoiser.prepare({.context = *session});
  Tensor known = at::full_like(codes, -1);
  for (std::int64_t round = 0; round < places; ++round) {
    const Tensor shares =
        denoiser.predict({.noised = {{}, known}, .time = at::zeros({2}), .condition = *condition}).softmax(-1);
    const auto [share, code] = shares.max(-1);
    const Tensor surest = at::where(known < 0, share, -1.0).argmax(1, /*keepdim=*/true);
    known = known.scatter(1, surest, code.gather(1, surest));
    EXPECT_EQ((known >= 0).sum().item<std::int64_t>(), 2 * (round + 1));
  }
  EXPECT_TRUE(at::equal(known, codes));
}

/// Codes are the last words of the backbone: it has no weights of its own.
class Shared : public Denoiser {
 public:
  explicit Shared(const BuildContext& context) : backbone_(*context.peers.backbone), first_(context.vocabulary) {}

  std::unique_ptr<Condition> prepare(const Given& given) override {
    return std::make_unique<Condition>(&given.context);
  }

  Tensor predict(const Prediction& asked) override {
    const Tensor& codes = asked.noised.codes;
    Block block;  // a begin word before the first code
    const Tensor begin = at::ones({codes.size(0), 1}, at::kLong);
    block.embeds = backbone_.embed(at::cat({begin, codes.slice(1, 0, -1).squeeze(2) + first_}, 1));
    block.commit = false;
    return backbone_.logits(asked.condition.context->append(block)).slice(-1, first_).unsqueeze(2);
  }

 private:
  Backbone& backbone_;
  std::int64_t first_;
};

TEST(SharedVocabulary, CodesAreWordsOfTheBackbone) {
  BuildContext context = context_of_codes(1);
  context.wiring.extra_words = codebook;
  const auto gpt =
      make<Backbone>(Kind::backbone, "gpt",
                     {{"width", std::int64_t{32}}, {"layers", std::int64_t{2}}, {"hidden", std::int64_t{48}}}, context);
  context.peers.backbone = gpt.get();
  Shared denoiser(context);
  const Tensor codes = some_codes(1);
  const Progress loss = train(
      {gpt.get()},
      [&] {
        const auto session = read(*gpt);
        return code_loss(denoiser, codes, codes, *denoiser.prepare({.context = *session}));
      },
      60);
  EXPECT_LT(loss.after, 0.3 * loss.before);

  const torch::NoGradGuard no_gradient;
  const auto session = read(*gpt);
  const auto condition = denoiser.prepare({.context = *session});
  Tensor made = at::zeros_like(codes);
  for (std::int64_t place = 0; place < places; ++place) {
    const Tensor logits = denoiser.predict({.noised = {{}, made}, .time = at::zeros({2}), .condition = *condition});
    EXPECT_EQ(logits.size(-1), codebook);
    made.select(1, place).copy_(logits.argmax(-1).select(1, place));
  }
  EXPECT_TRUE(at::equal(made, codes));
}

}  // namespace
}  // namespace blip3u::testing
