// Janus's and TokenFlow's shape: codes generated group by group, token by token (groups of 1) or scale by scale (1, 4,
// 16), with guidance. A minimal denoiser with a stream and a minimal sampler under the real gpt, through the public
// contracts.
#include <cmath>
#include <numeric>

#include "families/in_context.h"

namespace blip3u::testing {
namespace {

constexpr std::int64_t codebook = 11;

/// Owns a table of codes, positions and a head. The input at a place of group g is made from the codes of earlier
/// groups: the code before it (groups of 1), or the map of the scale before, enlarged (groups that are squares).
class CodesInContext : public ModuleComponent<Denoiser>, public Streams {
 public:
  explicit CodesInContext(const BuildContext& context) : layout_(context.wiring.features) {
    const std::int64_t width = context.wiring.backbone_width;
    table_ = register_parameter("table", learned_table({codebook, width}, 0.5, context.seed, "table"));
    start_ = register_parameter("start", learned_table({1, width}, 0.5, context.seed, "start"));
    positions_ =
        register_parameter("positions", learned_table({layout_.tokens, width}, 0.5, context.seed, "positions"));
    head_ = register_module("head", torch::nn::Linear(width, codebook));
    finish(context);
  }

  std::unique_ptr<Condition> prepare(const Given& given) override {
    return std::make_unique<Condition>(&given.context);
  }

  /// All groups at once, each fed with the true codes before it.
  Tensor predict(const Prediction& asked) override {
    std::vector<Tensor> embeds, groups;
    for (std::size_t g = 0; g < layout_.groups.size(); ++g) {
      embeds.push_back(input(asked.noised.codes, g));
      groups.push_back(at::full({layout_.groups[g]}, static_cast<std::int64_t>(g), at::kLong));
    }
    Block block;
    block.embeds = at::cat(embeds, 1);
    block.group = at::cat(groups);
    block.commit = false;
    return head_(asked.condition.context->append(block)).unsqueeze(2);  // of one level
  }

  std::unique_ptr<Stream> stream(const Condition& condition) override {
    return std::make_unique<GroupStream>(*this, *condition.context);
  }

 private:
  class GroupStream : public Stream {
   public:
    GroupStream(CodesInContext& owner, Session& context)
        : owner_(owner), session_(context.fork()), codes_(at::empty({context.batch(), 0, 1}, at::kLong)) {}

    Tensor scores() override {
      Block block;
      block.embeds = owner_.input(codes_, group_);
      block.group = at::zeros({block.embeds.size(1)}, at::kLong);
      return owner_.head_(session_->append(block));
    }
    void push(const Tensor& chosen) override {
      codes_ = at::cat({codes_, chosen.unsqueeze(-1)}, 1);
      ++group_;
    }
    bool done() const override { return group_ == owner_.layout_.groups.size(); }

   private:
    CodesInContext& owner_;
    std::unique_ptr<Session> session_;
    Tensor codes_;
    std::size_t group_ = 0;
  };

  Tensor input(const Tensor& codes, std::size_t group) {
    const std::int64_t rows = codes.size(0), count = layout_.groups[group];
    const std::int64_t first = std::accumulate(
        layout_.groups.begin(), layout_.groups.begin() + static_cast<std::ptrdiff_t>(group), std::int64_t{0});
    const Tensor places = positions_.slice(0, first, first + count);
    if (group == 0) return (start_ + places).expand({rows, -1, -1});
    const std::int64_t before = layout_.groups[group - 1];
    Tensor earlier = at::embedding(table_, codes.slice(1, first - before, first).squeeze(-1));
    const auto small = std::lround(std::sqrt(before)), large = std::lround(std::sqrt(count));
    earlier = earlier.unflatten(1, {small, small})
                  .repeat_interleave(large / small, 1)
                  .repeat_interleave(large / small, 2)
                  .flatten(1, 2);
    return earlier + places;
  }

  Layout layout_;
  Tensor table_, start_, positions_;
  torch::nn::Linear head_{nullptr};
};

/// Cross-entropy over all places; sampling draws each group from the guided scores.
class ByGroup : public Sampler, public Objective {
 public:
  std::vector<Loss> loss(const LossTask& task) override {
    const Tensor& codes = task.target.codes;
    const Tensor logits =
        task.denoiser.predict({.noised = task.target, .time = at::zeros({codes.size(0)}), .condition = task.condition});
    return {{"codes", at::cross_entropy_loss(logits.flatten(0, 2), codes.flatten(), {}, at::Reduction::Sum),
             at::full({}, static_cast<double>(codes.numel()))}};
  }

  Made sample(const SampleTask& task) override {
    const auto stream = dynamic_cast<Streams&>(task.denoiser).stream(task.condition);
    std::vector<Tensor> codes, log_probabilities;
    while (!stream->done()) {
      const Tensor shares = guided_scores(task, *stream).softmax(-1);
      const Tensor place = task.noise.uniform({shares.size(1)}, shares.device()).unsqueeze(-1);
      const Tensor chosen = (shares.cumsum(-1) < place).sum(-1).clamp_max(shares.size(-1) - 1);
      push_to_all(task, *stream, chosen);
      codes.push_back(chosen);
      log_probabilities.push_back(shares.gather(-1, chosen.unsqueeze(-1)).squeeze(-1).log());
      report(task.watch, {.done = static_cast<std::int64_t>(codes.size()),
                          .total = static_cast<std::int64_t>(task.layout.groups.size())});
    }
    return {{{}, at::cat(codes, 1).unsqueeze(-1)}, at::cat(log_probabilities, 1)};
  }
};

class Codes : public ::testing::TestWithParam<std::vector<std::int64_t>> {
 protected:
  static BuildContext context() {
    BuildContext result = small_context();
    Layout& layout = result.wiring.features;
    layout.groups = GetParam();
    layout.tokens = std::accumulate(layout.groups.begin(), layout.groups.end(), std::int64_t{0});
    layout.codebook = codebook;
    return result;
  }

  const Layout& layout() const { return context_.wiring.features; }

  std::unique_ptr<Session> read(const Tensor& ids) {
    auto session = gpt_->begin(ids.size(0));
    Block block;
    block.embeds = gpt_->embed(ids);
    session->append(block);
    return session;
  }

  /// With the empty prompt as the second context, if guidance asks for one.
  Visual sample(double scale, const Tensor& prompts, std::int64_t first) {
    const torch::NoGradGuard no_gradient;
    const auto cfg = make<Guidance>(Kind::guidance, "cfg", {{"scale", scale}});
    Block block;
    block.embeds = gpt_->embed(prompts);
    block.valid = at::ones(prompts.sizes(), at::kBool);
    if (cfg->contexts().size() > 1) {
      const Tensor empty = at::ones_like(prompts);
      block.embeds = at::cat({block.embeds, gpt_->embed(empty)});
      block.valid = at::cat({block.valid, (at::arange(prompts.size(1)) < 1).expand(prompts.sizes())});
    }
    const auto session = gpt_->begin(block.embeds.size(0));
    session->append(block);
    const auto condition = denoiser_.prepare({.context = *session});
    Generator generator = Generator::for_rows(3, first, prompts.size(0));
    ByGroup sampler;
    return sample_with(sampler, denoiser_, layout(), *condition, generator, cfg.get());
  }

  Tensor forced(const Tensor& codes, const Condition& condition) {
    return denoiser_.predict({.noised = {{}, codes}, .time = at::zeros({2}), .condition = condition});
  }

  Tensor some_codes() const {
    return (Generator::for_rows(8, 0, 2).uniform({layout().tokens, 1}, at::kCPU) * codebook).to(at::kLong);
  }

  BuildContext context_ = context();
  std::unique_ptr<Backbone> gpt_ = small_gpt({{"merge", std::int64_t{1}}});
  CodesInContext denoiser_{context_};
  Tensor prompts_ = at::tensor({1, 4, 5, 1, 6, 7}, at::kLong).view({2, 3});
};

TEST_P(Codes, StreamingEqualsTheTeacherForcedPass) {
  const torch::NoGradGuard no_gradient;
  const Tensor codes = some_codes();
  const auto session = read(prompts_);
  const auto condition = denoiser_.prepare({.context = *session});
  const Tensor all = forced(codes, *condition);
  EXPECT_EQ(all.sizes(), (std::vector<std::int64_t>{2, layout().tokens, 1, codebook}));
  const auto stream = denoiser_.stream(*condition);
  std::int64_t start = 0;
  for (const std::int64_t count : layout().groups) {
    ASSERT_FALSE(stream->done());
    EXPECT_LT(largest_difference(stream->scores(), all.slice(1, start, start + count).squeeze(2)), 1e-5);
    stream->push(codes.slice(1, start, start + count).squeeze(-1));
    start += count;
  }
  EXPECT_TRUE(stream->done());
}

TEST_P(Codes, NoGroupSeesItsOwnCodesOrLaterOnes) {
  const torch::NoGradGuard no_gradient;
  const auto session = read(prompts_);
  const auto condition = denoiser_.prepare({.context = *session});
  const Tensor codes = some_codes();
  const Tensor before = forced(codes, *condition);
  std::int64_t start = 0;
  for (const std::int64_t count : layout().groups) {
    Tensor changed = codes.clone();
    changed.slice(1, start) = (changed.slice(1, start) + 1) % codebook;
    const Tensor difference = (forced(changed, *condition) - before).abs().amax({0, 2, 3});
    start += count;
    EXPECT_EQ(difference.slice(0, 0, start).max().item<double>(), 0.0);
    if (start < layout().tokens) {
      EXPECT_GT(difference.slice(0, start).max().item<double>(), 0.0);
    }
  }
}

TEST_P(Codes, SamplesWithGuidanceRowByRow) {
  const Tensor both = sample(5.0, prompts_, 0).codes;
  EXPECT_EQ(both.sizes(), (std::vector<std::int64_t>{2, layout().tokens, 1}));
  EXPECT_GE(both.min().item<std::int64_t>(), 0);
  EXPECT_LT(both.max().item<std::int64_t>(), codebook);
  for (std::int64_t row = 0; row < 2; ++row) {
    EXPECT_TRUE(at::equal(sample(5.0, prompts_.slice(0, row, row + 1), row).codes, both.slice(0, row, row + 1)));
  }
  EXPECT_FALSE(at::equal(both, sample(5.0, prompts_.flip(0), 0).codes)) << "prompts are not read";
  EXPECT_TRUE(at::equal(sample(0.0, prompts_, 0).codes, sample(0.0, prompts_.flip(0), 0).codes))
      << "only the empty one";
}

TEST_P(Codes, LossTrainsTheBackbone) {
  const Tensor codes = some_codes();
  ByGroup sampler;
  const Progress loss = train(
      {gpt_.get(), &denoiser_},
      [&] {
        const auto session = read(prompts_);
        return picture_loss(sampler, denoiser_, {{}, codes}, *denoiser_.prepare({.context = *session}));
      },
      30);
  EXPECT_LT(loss.after, 0.5 * loss.before);
}

INSTANTIATE_TEST_SUITE_P(Families, Codes,
                         ::testing::Values(std::vector<std::int64_t>(16, 1), std::vector<std::int64_t>{1, 4, 16}),
                         [](const auto& info) { return info.param.size() == 16 ? "TokenByToken" : "ScaleByScale"; });

}  // namespace
}  // namespace blip3u::testing
