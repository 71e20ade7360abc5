// Two generation links: codes first, then features that are made from those codes and from what the backbone made of
// them.
#include "families/in_context.h"

namespace blip3u::testing {
namespace {

struct AfterFirst : Condition {
  using Condition::Condition;
  Tensor first;  // [B,1,C]
};

/// A second link: features made from the codes of the first and from the backbone's states where they stand.
class Second : public InContext {
 public:
  explicit Second(const BuildContext& context) : InContext(context) {
    const std::int64_t width = context.wiring.backbone_width;
    table_ = register_parameter("table",
                                learned_table({context.wiring.previous.codebook, width}, 0.5, context.seed, "table"));
    states_ = register_module("states", torch::nn::Linear(width, width));
    finish(context);
  }

  std::unique_ptr<Condition> prepare(const Given& given) override {
    auto condition = std::make_unique<AfterFirst>(&given.context);
    condition->first = (at::embedding(table_, given.previous->codes.squeeze(2)) + states_(given.hidden)).mean(1, true);
    return condition;
  }

  Tensor predict(const Prediction& asked) override {
    Block block = image_block(asked.noised.x, asked.time, false);
    block.embeds = block.embeds + dynamic_cast<const AfterFirst&>(asked.condition).first;
    return head_(asked.condition.context->append(block));
  }

 private:
  Tensor table_;
  torch::nn::Linear states_{nullptr};
};

TEST(TwoLinks, TheSecondReadsCodesAndHiddenStatesOfTheFirst) {
  BuildContext context = small_context();
  context.wiring.previous = make_layout(4, 6);
  context.wiring.previous.codebook = 7;
  const auto gpt = small_gpt();
  Second second(context);
  const auto sampler = make<Sampler>(Kind::sampler, "flow_matching", {{"steps", std::int64_t{4}}}, context);
  const Tensor codes = at::tensor({0, 1, 2, 3, 3, 4, 5, 6}, at::kLong).view({2, 4, 1}), target = normal({16, 6}, 2, 9);
  Tensor hidden;  // of the first link's codes, committed after one word that is the same in both rows
  const auto first = [&] {
    auto session = gpt->begin(2);
    Block block;
    block.embeds = gpt->embed(at::cat({at::ones({2, 1}, at::kLong), codes.squeeze(2) + 10}, 1));
    hidden = session->append(block).slice(1, 1);
    return session;
  };
  const Progress loss = train(
      {gpt.get(), &second},
      [&] {
        const auto session = first();
        const Visual previous{{}, codes};
        return picture_loss(*sampler, second, {target, {}},
                            *second.prepare({.context = *session, .previous = &previous, .hidden = hidden}));
      },
      40);
  EXPECT_LT(loss.after, 0.7 * loss.before);
  const torch::NoGradGuard no_gradient;
  const auto session = first();
  const auto made = [&](const Tensor& told, const Tensor& states) {
    const Visual previous{{}, told};
    const auto condition = second.prepare({.context = *session, .previous = &previous, .hidden = states});
    Generator noise = Generator::for_rows(3, 0, 2);
    return sample_with(*sampler, second, context.wiring.features, *condition, noise).x;
  };
  const Tensor both = made(codes, hidden);
  EXPECT_EQ(both.sizes(), target.sizes());
  EXPECT_GT(largest_difference(made(codes.flip(0), hidden), both), 1e-3) << "codes are not read";
  EXPECT_GT(largest_difference(made(codes, hidden.flip(0)), both), 1e-3) << "states are not read";
}

// `dit` behind another link: it reads what that made, and no padding of it.
TEST(TwoLinks, DitReadsWhatTheFirstMade) {
  const torch::NoGradGuard no_gradient;
  const auto gpt = small_gpt();
  const auto session = gpt->begin(2);
  session->append({.embeds = gpt->embed(at::ones({2, 3}, at::kLong))});
  const Tensor x = normal({16, 6}, 2, 4), time = at::full({2}, 0.4);
  const auto predicted = [&](const Layout& layout, const Visual& previous) {
    BuildContext context = small_context();
    context.wiring.previous = layout;
    const Overrides small{{"width", std::int64_t{16}}, {"heads", std::int64_t{2}}, {"layers", std::int64_t{1}}};
    const auto dit = make<Denoiser>(Kind::denoiser, "dit", small, context);
    randomize(*dit, 5);
    const auto condition = dit->prepare({.context = *session, .previous = &previous});
    return dit->predict({.noised = {x, {}}, .time = time, .condition = *condition});
  };
  const Tensor first = normal({4, 10}, 2, 8), valid = at::tensor({1, 1, 1, 0}).to(at::kBool).expand({2, 4});
  Tensor seen = first.clone(), hidden = first.clone();
  seen.select(1, 0).add_(1);
  hidden.select(1, 3).add_(1);
  const Layout features = make_layout(4, 10);
  const auto with = [&](const Tensor& made) { return predicted(features, {.x = made, .codes = {}, .valid = valid}); };
  EXPECT_GT(largest_difference(with(seen), with(first)), 1e-3);
  EXPECT_LT(largest_difference(with(hidden), with(first)), 1e-6);

  Layout residual = make_layout(4, 10);
  residual.codebook = 7;
  residual.depth = 2;
  const Tensor codes = at::zeros({2, 4, 2}, at::kLong);
  for (std::int64_t level = 0; level < 2; ++level) {
    Tensor other = codes.clone();
    other.select(2, level).fill_(3);
    EXPECT_GT(largest_difference(predicted(residual, {.x = {}, .codes = other}),
                                 predicted(residual, {.x = {}, .codes = codes})),
              1e-3)
        << "level " << level;
  }
}

}  // namespace
}  // namespace blip3u::testing
