// Janus's and TokenFlow's shape: codes generated group by group, token by token (groups of 1) or scale by scale (1, 4,
// 16), with guidance. A minimal denoiser with a stream and a minimal sampler under the real gpt, through the public
// contracts.
#include <cmath>
#include <numeric>

#include "blip3u/module_component.h"
#include "plugins_language/support.h"

namespace blip3u::testing {
namespace {

constexpr std::int64_t codebook = 11;

/// Owns a table of codes, positions and a head. The input at a place of group g is made from the codes of earlier
/// groups: the code before it (groups of 1), or the map of the scale before, enlarged (groups that are squares).
class CodesInContext : public ModuleComponent<Denoiser> {
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

  Condition prepare(Session& context) override { return {.context = &context, .tokens = {}, .mask = {}}; }

  /// All groups at once, each fed with the true codes before it.
  Tensor predict(const Visual& noised, const Tensor&, const Condition& condition) override {
    std::vector<Tensor> embeds, groups;
    for (std::size_t g = 0; g < layout_.groups.size(); ++g) {
      embeds.push_back(input(noised.codes, g));
      groups.push_back(at::full({layout_.groups[g]}, static_cast<std::int64_t>(g), at::kLong));
    }
    Block block;
    block.embeds = at::cat(embeds, 1);
    block.group = at::cat(groups);
    block.commit = false;
    return head_(condition.context->append(block));
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
class ByGroup : public Sampler {
 public:
  explicit ByGroup(double guidance) : guidance_(guidance) {}

  std::vector<Loss> loss(Denoiser& denoiser, const Visual& target, const Condition& condition, Generator&) override {
    const Tensor logits = denoiser.predict(target, at::zeros({target.codes.size(0)}), condition);
    return {{"codes", at::cross_entropy_loss(logits.flatten(0, 1), target.codes.flatten(), {}, at::Reduction::Sum),
             at::full({}, static_cast<double>(target.codes.numel()))}};
  }

  Visual sample(Denoiser& denoiser, const Layout& layout, const std::vector<Condition>& conditions,
                Generator& generator, const Progress& progress) override {
    std::vector<std::unique_ptr<Stream>> streams;
    streams.reserve(conditions.size());
    for (const Condition& condition : conditions) streams.push_back(denoiser.stream(condition));
    std::vector<Tensor> codes;
    while (!streams[0]->done()) {
      Tensor scores = streams[0]->scores();
      if (streams.size() > 1) {
        const Tensor empty = streams[1]->scores();
        scores = empty + guidance_ * (scores - empty);
      }
      const Tensor place = generator.uniform({scores.size(1)}, scores.device()).unsqueeze(-1);
      const Tensor chosen = (scores.softmax(-1).cumsum(-1) < place).sum(-1).clamp_max(scores.size(-1) - 1);
      for (const auto& stream : streams) stream->push(chosen);
      codes.push_back(chosen);
      if (progress) progress(static_cast<std::int64_t>(codes.size()), static_cast<std::int64_t>(layout.groups.size()));
    }
    return {{}, at::cat(codes, 1).unsqueeze(-1)};
  }

 private:
  double guidance_;
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

  Visual sample(double guidance, const Tensor& prompts, const std::vector<Tensor>& others, std::int64_t first) {
    const torch::NoGradGuard no_gradient;
    std::vector<std::unique_ptr<Session>> sessions;
    std::vector<Condition> conditions;
    conditions.reserve(1 + others.size());
    sessions.push_back(read(prompts));
    for (const Tensor& ids : others) sessions.push_back(read(ids));
    for (const auto& session : sessions) conditions.push_back(denoiser_.prepare(*session));
    Generator generator = Generator::for_rows(3, first, prompts.size(0));
    ByGroup sampler(guidance);
    return sampler.sample(denoiser_, layout(), conditions, generator, {});
  }

  Tensor some_codes() const {
    return (Generator::for_rows(8, 0, 2).uniform({layout().tokens, 1}, at::kCPU) * codebook).to(at::kLong);
  }

  BuildContext context_ = context();
  std::unique_ptr<Backbone> gpt_ = small_gpt({{"merge", std::int64_t{1}}});
  CodesInContext denoiser_{context_};
  Tensor prompts_ = at::tensor({1, 4, 5, 1, 6, 7}, at::kLong).view({2, 3});
  Tensor empty_ = at::tensor({1, 1}, at::kLong).view({2, 1});
};

TEST_P(Codes, StreamingEqualsTheTeacherForcedPass) {
  const torch::NoGradGuard no_gradient;
  const Tensor codes = some_codes();
  const auto session = read(prompts_);
  const Condition condition = denoiser_.prepare(*session);
  const Tensor all = denoiser_.predict({{}, codes}, at::zeros({2}), condition);
  EXPECT_EQ(all.sizes(), (std::vector<std::int64_t>{2, layout().tokens, codebook}));
  const auto stream = denoiser_.stream(condition);
  std::int64_t start = 0;
  for (const std::int64_t count : layout().groups) {
    ASSERT_FALSE(stream->done());
    EXPECT_LT(largest_difference(stream->scores(), all.slice(1, start, start + count)), 1e-5);
    stream->push(codes.slice(1, start, start + count).squeeze(-1));
    start += count;
  }
  EXPECT_TRUE(stream->done());
}

TEST_P(Codes, NoGroupSeesItsOwnCodesOrLaterOnes) {
  const torch::NoGradGuard no_gradient;
  const auto session = read(prompts_);
  const Condition condition = denoiser_.prepare(*session);
  const Tensor codes = some_codes();
  const Tensor before = denoiser_.predict({{}, codes}, at::zeros({2}), condition);
  std::int64_t start = 0;
  for (const std::int64_t count : layout().groups) {
    Tensor changed = codes.clone();
    changed.slice(1, start) = (changed.slice(1, start) + 1) % codebook;
    const Tensor difference = (denoiser_.predict({{}, changed}, at::zeros({2}), condition) - before).abs().amax({0, 2});
    start += count;
    EXPECT_EQ(difference.slice(0, 0, start).max().item<double>(), 0.0);
    if (start < layout().tokens) {
      EXPECT_GT(difference.slice(0, start).max().item<double>(), 0.0);
    }
  }
}

TEST_P(Codes, SamplesWithGuidanceRowByRow) {
  const Tensor both = sample(5.0, prompts_, {empty_}, 0).codes;
  EXPECT_EQ(both.sizes(), (std::vector<std::int64_t>{2, layout().tokens, 1}));
  EXPECT_GE(both.min().item<std::int64_t>(), 0);
  EXPECT_LT(both.max().item<std::int64_t>(), codebook);
  for (std::int64_t row = 0; row < 2; ++row) {
    EXPECT_TRUE(at::equal(sample(5.0, prompts_.slice(0, row, row + 1), {empty_.slice(0, 0, 1)}, row).codes,
                          both.slice(0, row, row + 1)));
  }
  EXPECT_FALSE(at::equal(both, sample(5.0, prompts_.flip(0), {empty_}, 0).codes)) << "prompts are not read";
  EXPECT_TRUE(at::equal(sample(1.0, prompts_, {empty_}, 0).codes, sample(1.0, prompts_, {}, 0).codes));
  EXPECT_TRUE(at::equal(sample(0.0, prompts_, {empty_}, 0).codes, sample(0.0, empty_, {}, 0).codes));
}

TEST_P(Codes, LossTrainsTheBackbone) {
  const Tensor codes = some_codes();
  std::vector<Tensor> weights;
  for (const Component* component :
       {static_cast<const Component*>(gpt_.get()), static_cast<const Component*>(&denoiser_)}) {
    for (const NamedTensor& weight : component->weights()) weights.push_back(weight.value);
  }
  torch::optim::Adam optimizer(weights, torch::optim::AdamOptions(3e-3));
  ByGroup sampler(1.0);
  Generator generator = Generator::for_rows(5, 0, 2);
  const auto loss = [&] {
    const auto session = read(prompts_);
    const auto losses = sampler.loss(denoiser_, {{}, codes}, denoiser_.prepare(*session), generator);
    return losses.at(0).sum / losses.at(0).count;
  };
  const double before = loss().item<double>();
  for (int step = 0; step < 30; ++step) {
    optimizer.zero_grad();
    loss().backward();
    optimizer.step();
  }
  EXPECT_LT(loss().item<double>(), 0.5 * before);
}

INSTANTIATE_TEST_SUITE_P(Families, Codes,
                         ::testing::Values(std::vector<std::int64_t>(16, 1), std::vector<std::int64_t>{1, 4, 16}),
                         [](const auto& info) { return info.param.size() == 16 ? "TokenByToken" : "ScaleByScale"; });

}  // namespace
}  // namespace blip3u::testing
