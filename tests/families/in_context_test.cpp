// Transfusion's shape: the noised image runs inside the session as an uncommitted bidirectional block, so that text and
// image share one transformer. A minimal denoiser under the real flow_matching and gpt, through the public contracts.
#include "families/in_context.h"

namespace blip3u::testing {
namespace {

class Transfusion : public ::testing::Test {
 protected:
  std::unique_ptr<Session> read(const Tensor& ids) {
    auto session = gpt_->begin(ids.size(0));
    session->append(text(ids));
    return session;
  }

  Block text(const Tensor& ids) {
    Block block;
    block.embeds = gpt_->embed(ids);
    return block;
  }

  Tensor sample(const Tensor& prompts, const Tensor& empty, std::int64_t first, const std::string& solver = "euler") {
    const torch::NoGradGuard no_gradient;
    const auto sampler =
        make<Sampler>(Kind::sampler, "flow_matching", {{"steps", std::int64_t{5}}, {"solver", solver}}, context_);
    // Both contexts in one session: the empty prompt's rows are padded.
    const Tensor ids = at::cat({prompts, at::constant_pad_nd(empty, {0, prompts.size(1) - empty.size(1)})});
    Block both = text(ids);
    both.valid = at::ones(ids.sizes(), at::kBool);
    both.valid.slice(0, prompts.size(0)).slice(1, empty.size(1)).fill_(false);
    const auto session = gpt_->begin(ids.size(0));
    session->append(both);
    Generator generator = Generator::for_rows(3, first, prompts.size(0));
    const auto cfg = make<Guidance>(Kind::guidance, "cfg");
    const auto condition = denoiser_.prepare({.context = *session});
    return sample_with(*sampler, denoiser_, context_.wiring.features, *condition, generator, cfg.get()).x;
  }

  BuildContext context_ = small_context();
  std::unique_ptr<Backbone> gpt_ = small_gpt();
  InContext denoiser_{context_};
  Tensor prompts_ = at::tensor({1, 4, 5, 1, 6, 7}, at::kLong).view({2, 3});
  Tensor empty_ = at::tensor({1, 1}, at::kLong).view({2, 1});
};

TEST_F(Transfusion, SamplesWithGuidanceRowByRow) {
  for (const std::string solver : {"euler", "heun"}) {
    const Tensor both = sample(prompts_, empty_, 0, solver);
    EXPECT_EQ(both.sizes(), (std::vector<std::int64_t>{2, 16, 6}));
    EXPECT_TRUE(both.isfinite().all().item<bool>());
    for (std::int64_t row = 0; row < 2; ++row) {
      EXPECT_LT(largest_difference(sample(prompts_.slice(0, row, row + 1), empty_.slice(0, 0, 1), row, solver),
                                   both.slice(0, row, row + 1)),
                1e-4);
    }
    EXPECT_GT(largest_difference(sample(prompts_.flip(0), empty_, 0, solver), both), 1e-3) << "prompts are not read";
  }
}

TEST_F(Transfusion, OnePassEqualsTheSameBlocksInPieces) {
  const torch::NoGradGuard no_gradient;
  const Tensor x = normal({16, 6}, 2), time = at::zeros({2});
  const Block image = denoiser_.image_block(x, time, true);
  const Tensor after = at::tensor({8, 9, 8, 9}, at::kLong).view({2, 2});
  const auto pieces = gpt_->begin(2);
  const Tensor in_pieces =
      at::cat({pieces->append(text(prompts_)), pieces->append(image), pieces->append(text(after))}, 1);
  Block whole;
  whole.embeds = at::cat({gpt_->embed(prompts_), image.embeds, gpt_->embed(after)}, 1);
  whole.group = at::cat({at::arange(3), at::full({16}, 3, at::kLong), at::arange(4, 6)});
  EXPECT_LT(largest_difference(gpt_->begin(2)->append(whole), in_pieces), 1e-5);
}

TEST_F(Transfusion, NoisedImagesAreForgottenAndTheCleanOneStays) {
  const torch::NoGradGuard no_gradient;
  const Tensor after = at::tensor({8, 8}, at::kLong).view({2, 1});
  const auto noised = read(prompts_), plain = read(prompts_);
  const auto condition = denoiser_.prepare({.context = *noised});
  denoiser_.predict({.noised = {normal({16, 6}, 2), {}}, .time = at::full({2}, 0.5), .condition = *condition});
  EXPECT_EQ(largest_difference(noised->fork()->append(text(after)), plain->fork()->append(text(after))), 0.0);
  noised->append(denoiser_.image_block(normal({16, 6}, 2), at::zeros({2}), true));
  EXPECT_GT(largest_difference(noised->append(text(after)), plain->append(text(after))), 1e-3);
}

TEST_F(Transfusion, TextAndImageLossTrainOneTransformer) {
  std::vector<Tensor> weights;
  for (const Component* component :
       {static_cast<const Component*>(gpt_.get()), static_cast<const Component*>(&denoiser_)}) {
    for (const NamedTensor& weight : component->weights()) weights.push_back(weight.value);
  }
  torch::optim::Adam optimizer(weights, torch::optim::AdamOptions(3e-3));
  const auto sampler = make<Sampler>(Kind::sampler, "flow_matching", {}, context_);
  const Tensor images = normal({16, 6}, 2, 9);
  const auto losses = [&] {
    const auto session = gpt_->begin(2);
    const Tensor logits = gpt_->logits(session->append(text(prompts_)));
    Tensor result = at::cross_entropy_loss(logits.slice(1, 0, 2).flatten(0, 1), prompts_.slice(1, 1).flatten());
    // The same noise at each step, so that the loss can only fall by learning.
    Generator generator = Generator::for_rows(5, 0, 2);
    for (const Loss& loss :
         losses_of(*sampler, denoiser_, {images, {}}, *denoiser_.prepare({.context = *session}), generator)) {
      result = result + loss.sum / loss.count;
    }
    return result;
  };
  const double before = losses().item<double>();
  for (int step = 0; step < 40; ++step) {
    optimizer.zero_grad();
    losses().backward();
    if (step == 0) {
      for (const NamedTensor& weight : gpt_->weights()) {
        if (!weight.name.starts_with("experts.")) continue;
        EXPECT_GT(weight.value.grad().abs().max().item<double>(), 0) << weight.name;
      }
    }
    optimizer.step();
  }
  EXPECT_LT(losses().item<double>(), 0.7 * before);
}

}  // namespace
}  // namespace blip3u::testing
