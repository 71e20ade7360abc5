// An edit (InstructPix2Pix, Brooks et al. 2023): the source picture stands in the context, the denoiser is also given
// its features, and text and picture are guided apart in three contexts.
#include "blip3u/module_component.h"
#include "model/contexts.h"
#include "model/reader.h"
#include "plugins_language/support.h"

namespace blip3u::testing {
namespace {

/// Keeps the source's features beside what a query read of the instruction.
struct EditCondition final : Condition {
  using Condition::Condition;
  Tensor source;  // [B,N,D]
};

class EditDenoiser final : public ModuleComponent<Denoiser> {
 public:
  explicit EditDenoiser(const BuildContext& context) {
    const std::int64_t width = context.wiring.backbone_width, features = context.wiring.features.width;
    query_ = register_parameter("query", learned_table({1, 1, width}, 0.5, context.seed, "query"));
    input_ = register_module("input", torch::nn::Linear(2 * features + width + 1, 64));
    gate_ = register_module("gate", torch::nn::Linear(width, 64));
    output_ = register_module("output", torch::nn::Linear(64, features));
    finish(context);
  }

  std::unique_ptr<Condition> prepare(const Given& given) override {
    Block query{.embeds = query_.expand({given.context.batch(), -1, -1}), .commit = false};
    auto condition = std::make_unique<EditCondition>(&given.context, given.context.append(query));
    condition->source = given.sources.front().x;
    return condition;
  }

  Tensor predict(const Prediction& asked) override {
    const auto& condition = dynamic_cast<const EditCondition&>(asked.condition);
    const Tensor& x = asked.noised.x;
    const Tensor read = condition.tokens.expand({-1, x.size(1), -1});
    const Tensor time = asked.time.view({-1, 1, 1}).expand({-1, x.size(1), 1});
    return output_(at::tanh(input_(at::cat({x, condition.source, read, time}, 2))) * gate_(condition.tokens));
  }

 private:
  Tensor query_;
  torch::nn::Linear input_{nullptr}, gate_{nullptr}, output_{nullptr};
};

constexpr std::int64_t keep = 5, negate = 6, rows = 8;

class EditFamily : public ::testing::Test {
 protected:
  /// Half of the rows keep the picture, half negate it.
  static std::vector<Message> instruction(std::int64_t row) {
    return {{Role::user, {image_part(row), text_part(row % 2 == 0 ? "keep" : "negate")}},
            {Role::assistant, {image_part(row, 1)}}};
  }
  static std::vector<Span> spans(const std::vector<Message>& messages) {
    std::vector<Span> result;
    for (const Message& message : messages) {
      for (const Part& part : message.content) {
        if (part.weight > 0) continue;
        if (part.type == Part::Type::image) result.push_back({{}, part.image, 0});
        if (part.type == Part::Type::text) {
          result.push_back({{1, part.text == "keep" ? keep : part.text == "negate" ? negate : 2, 2}, -1, 0});
        }
      }
    }
    return result;
  }

  std::unique_ptr<Session> read(const std::vector<Context>& contexts) {
    std::vector<std::vector<Span>> all;
    for (const Context context : contexts) {
      for (std::int64_t row = 0; row < rows; ++row) all.push_back(spans(in_context(instruction(row), context, "")));
    }
    auto session = gpt_->begin(static_cast<std::int64_t>(all.size()));
    read_spans(*gpt_, at::kCPU, *session, all, {Visual{source_, {}}}, {}, Purpose::context);
    return session;
  }

  /// What the denoiser is given of the source: nothing where the context holds no picture.
  std::unique_ptr<Condition> prepare(Session& session, const std::vector<Context>& contexts) {
    std::vector<Tensor> sources;
    for (const Context context : contexts) {
      const bool shown = context == Context::whole || context == Context::no_text;
      sources.push_back(shown ? source_ : at::zeros_like(source_));
    }
    const Visual all{at::cat(sources), {}};
    return denoiser_.prepare({.context = session, .sources = std::span(&all, 1)});
  }

  BuildContext context_ = small_context();
  std::unique_ptr<Backbone> gpt_ = small_gpt();
  EditDenoiser denoiser_{context_};
  const Tensor source_ = normal({16, 6}, rows, 4);
  const Tensor target_ = source_ * at::tensor({1.0, -1.0}).repeat({rows / 2}).view({rows, 1, 1}).to(at::kFloat);
};

TEST_F(EditFamily, LearnsAndFollowsTheInstructionInThreeContexts) {
  const auto sampler = make<Sampler>(Kind::sampler, "flow_matching", {{"steps", std::int64_t{8}}}, context_);
  const auto guidance = make<Guidance>(Kind::guidance, "edit", {{"text_scale", 1.5}, {"image_scale", 1.2}}, context_);
  std::vector<Tensor> weights;
  for (const NamedTensor& weight : denoiser_.weights()) weights.push_back(weight.value);
  for (const NamedTensor& weight : gpt_->weights()) weights.push_back(weight.value);
  torch::optim::Adam optimizer(weights, torch::optim::AdamOptions(5e-3));
  double first = 0, last = 0;
  for (int step = 0; step < 150; ++step) {
    const auto session = read({Context::whole});
    Generator generator = Generator::for_rows(static_cast<std::uint64_t>(step), 0, rows);
    Tensor total = at::zeros({});
    for (const Loss& loss :
         losses_of(*sampler, denoiser_, {target_, {}}, *prepare(*session, {Context::whole}), generator)) {
      total = total + loss.sum / loss.count;
    }
    optimizer.zero_grad();
    total.backward();
    optimizer.step();
    (step == 0 ? first : last) = total.item<double>();
  }
  EXPECT_LT(last, 0.5 * first);

  const torch::NoGradGuard no_gradient;
  const std::vector<Context> contexts = guidance->contexts();
  ASSERT_EQ(contexts.size(), 3U);
  const auto session = read(contexts);
  const auto condition = prepare(*session, contexts);
  Generator generator = Generator::for_rows(9, 0, rows);
  const Tensor made =
      sample_with(*sampler, denoiser_, context_.wiring.features, *condition, generator, guidance.get()).x;
  for (std::int64_t row = 0; row < rows; ++row) {
    const double right = (made[row] - target_[row]).square().mean().item<double>();
    const double wrong = (made[row] + target_[row]).square().mean().item<double>();
    EXPECT_LT(right, wrong) << "row " << row << " does what was not asked";
  }
}

}  // namespace
}  // namespace blip3u::testing
