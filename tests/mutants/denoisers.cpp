// Denoisers that are wrong in one way each, and `sound`, from which they differ.
#include <torch/torch.h>

#include <fmt/format.h>

#include "blip3u/denoiser.h"
#include "blip3u/module_component.h"
#include "layers/feed_forward.h"
#include "layers/pooled.h"
#include "layers/queries.h"
#include "layers/time_embedding.h"

namespace blip3u::mutants {
namespace {

/// Each token alone, steered by the time and by what learnable queries fetched from the context.
class Sound : public ModuleComponent<Denoiser> {
 public:
  Sound(const Parameters& parameters, const BuildContext& context)
      : features_(context.wiring.features), time_(parameters.integer("width")) {
    const std::int64_t width = parameters.integer("width"), backbone = context.wiring.backbone_width;
    queries_ = register_parameter(
        "queries", learned_table({parameters.integer("queries"), backbone}, 0.5, context.seed, "queries"));
    connector_ = register_module("connector", layers::FeedForward(backbone, width, width));
    register_module("time", time_);
    input_ = register_module("input", torch::nn::Linear(features_.width, width));
    output_ = register_module("output", layers::FeedForward(width, width, features_.width));
    finish(context);
  }

  std::unique_ptr<Condition> prepare(const Given& given) override {
    Block block;
    block.embeds = queries_.unsqueeze(0).expand({given.context.batch(), -1, -1});
    block.commit = false;
    return std::make_unique<Condition>(&given.context, connector_(read(given.context, block)));
  }

  Tensor predict(const Prediction& asked) override {
    const Tensor& x = asked.noised.x;
    if (!x.defined() || x.dim() != 3 || x.size(2) != features_.width) {
      throw Error(Fault::plugin, fmt::format("denoiser: features must be [B,N,{}]; use the encoder it was built for",
                                             features_.width));
    }
    const Tensor steering = time_(asked.time) + layers::pooled(asked.condition.tokens, asked.condition.mask);
    return output_(input_(x) + steering.unsqueeze(1));
  }

 protected:
  virtual Tensor read(Session& context, const Block& block) { return context.append(block); }

 private:
  Layout features_;
  Tensor queries_;
  layers::FeedForward connector_{nullptr};
  layers::TimeEmbedding time_;
  torch::nn::Linear input_{nullptr};
  layers::FeedForward output_{nullptr};
};

/// Divides by the time what it has multiplied by it.
class NanAtZero : public Sound {
  using Sound::Sound;
  Tensor predict(const Prediction& asked) override {
    return Sound::predict(asked) * asked.time.div(asked.time).view({-1, 1, 1});
  }
};

/// Its queries never meet the context.
class IgnoresCondition : public Sound {
  using Sound::Sound;
  Tensor read(Session&, const Block& block) override { return block.embeds; }
};

class ExtraDimension : public Sound {
  using Sound::Sound;
  Tensor predict(const Prediction& asked) override { return Sound::predict(asked).unsqueeze(1); }
};

/// A step that leaves values alone and doubles gradients.
struct Doubling : torch::autograd::Function<Doubling> {
  static Tensor forward(torch::autograd::AutogradContext*, const Tensor& x) { return x.clone(); }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext*,
                                               const torch::autograd::tensor_list& gradients) {
    return {2 * gradients[0]};
  }
};

class WrongGradient : public Sound {
  using Sound::Sound;
  Tensor predict(const Prediction& asked) override { return Doubling::apply(Sound::predict(asked)); }
};

/// Leaves its queries in the context.
class CommitsQueries : public Sound {
  using Sound::Sound;
  Tensor read(Session& context, const Block& block) override {
    Block committed = block;
    committed.commit = true;
    return Sound::read(context, committed);
  }
};

/// Mixes the images of a batch.
class MeanOfBatch : public Sound {
  using Sound::Sound;
  Tensor predict(const Prediction& asked) override {
    return Sound::predict({.noised = {asked.noised.x - asked.noised.x.mean(0, /*keepdim=*/true), {}},
                           .time = asked.time,
                           .condition = asked.condition});
  }
};

/// Predicts by the condition that was prepared last.
class RemembersCondition : public Sound {
  using Sound::Sound;
  std::unique_ptr<Condition> prepare(const Given& given) override {
    auto prepared = Sound::prepare(given);
    tokens_ = prepared->tokens;
    return prepared;
  }
  Tensor predict(const Prediction& asked) override {
    const Condition last(nullptr, tokens_);
    return Sound::predict({.noised = asked.noised, .time = asked.time, .condition = last});
  }
  Tensor tokens_;
};

class SpoilsCondition : public Sound {
  using Sound::Sound;
  Tensor predict(const Prediction& asked) override {
    Tensor prediction = Sound::predict(asked), tokens = asked.condition.tokens;
    tokens.mul_(0.5);
    return prediction;
  }
};

/// Its own autograd function doubles the gradient of one small bias alone.
class WrongBiasGradient : public Sound {
 public:
  WrongBiasGradient(const Parameters& parameters, const BuildContext& context) : Sound(parameters, context) {
    bias_ = register_parameter("bias", torch::zeros({context.wiring.features.width}).to(context.device, context.dtype));
  }
  Tensor predict(const Prediction& asked) override { return Sound::predict(asked) + 0.3 * Doubling::apply(bias_); }

 private:
  Tensor bias_;
};

constexpr ParameterSpec parameters[] = {
    integer("width", 16, 1, 4096, "width of the network"),
    integer("queries", 4, 1, 1024, "learnable queries that read the context"),
};

constexpr const char* provides[] = {"predict"};
constexpr const char* needs[] = {"session"};

template <class T>
constexpr ComponentDescriptor denoiser(const char* name, const char* summary) {
  return {.kind = Kind::denoiser,
          .name = name,
          .summary = summary,
          .provides = provides,
          .needs = needs,
          .parameters = parameters,
          .check = [](const Parameters&, Wiring& wiring) { layers::check_queries(wiring); },
          .create = create<T>};
}

constexpr ComponentDescriptor components[] = {
    denoiser<Sound>("sound", "Nothing is wrong with it."),
    denoiser<NanAtZero>("nan_at_zero", "Divides zero by zero at time 0."),
    denoiser<IgnoresCondition>("ignores_condition", "Predicts the same whatever the context."),
    denoiser<ExtraDimension>("extra_dimension", "Predicts [B,1,N,D] instead of [B,N,D]."),
    denoiser<WrongGradient>("wrong_gradient", "Its own autograd function doubles gradients."),
    denoiser<WrongBiasGradient>("wrong_bias_gradient", "Doubles the gradient of one bias."),
    denoiser<RemembersCondition>("remembers_condition", "Predicts by the condition that was prepared last."),
    denoiser<SpoilsCondition>("spoils_condition", "Halves the condition whenever it predicts."),
    denoiser<CommitsQueries>("commits_queries", "Leaves its queries in the context."),
    denoiser<MeanOfBatch>("mean_of_batch", "Centres its input over the batch."),
};

}  // namespace
}  // namespace blip3u::mutants

BLIP3U_PLUGIN("mutant_denoisers", "0.1.0", "Apache-2.0", blip3u::mutants::components)
