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

/// Works out its steering when it is told the times, but counts them from one.
class CountsFromOne : public Sound {
  using Sound::Sound;
  std::unique_ptr<Condition> prepare(const Given& given) override {
    times_.assign(given.times.begin(), given.times.end());
    return Sound::prepare(given);
  }
  Tensor predict(const Prediction& asked) override {
    const auto next = static_cast<std::size_t>(asked.step + 1);
    const bool told = asked.step >= 0 && next < times_.size();
    return Sound::predict({.noised = asked.noised,
                           .time = told ? torch::full_like(asked.time, times_[next]) : asked.time,
                           .condition = asked.condition});
  }
  std::vector<double> times_;
};

/// Adds the mean of source pictures to its tokens, padding included.
class ReadsPadding : public Sound {
  using Sound::Sound;
  std::unique_ptr<Condition> prepare(const Given& given) override {
    auto prepared = Sound::prepare(given);
    for (const Visual& source : given.sources) prepared->tokens = prepared->tokens + source.x.mean({1, 2}, true);
    return prepared;
  }
};

/// Made pictures stay as tokens of the session, and zeros stand for nothing.
class Able : public Sound, public Keeps, public Nulls {
 public:
  Able(const Parameters& parameters, const BuildContext& context)
      : Sound(parameters, context), backbone_(context.wiring.backbone_width) {}

  Tensor keep(Session& session, const Visual& made) override {
    const Tensor embeds = torch::constant_pad_nd(shown(made.x), {0, backbone_ - made.x.size(2)});
    return session.append({.embeds = embeds, .commit = commits()});
  }

  std::unique_ptr<Condition> null(const Condition& given, const Tensor& rows) override {
    return std::make_unique<Condition>(given.context, emptied(given.tokens, rows.view({-1, 1, 1})));
  }

 protected:
  virtual Tensor shown(const Tensor& x) const { return x; }
  virtual bool commits() const { return true; }
  virtual Tensor emptied(const Tensor& tokens, const Tensor& rows) const { return torch::where(rows, 0.0, tokens); }

 private:
  std::int64_t backbone_;
};

class KeepsNothing : public Able {
  using Able::Able;
  bool commits() const override { return false; }
};

class KeepsABlank : public Able {
  using Able::Able;
  Tensor shown(const Tensor& x) const override { return torch::zeros_like(x); }
};

class KeepsTheMean : public Able {
  using Able::Able;
  Tensor shown(const Tensor& x) const override { return x + x.mean(0, /*keepdim=*/true); }
};

class EmptiesAll : public Able {
  using Able::Able;
  Tensor emptied(const Tensor& tokens, const Tensor& rows) const override {
    return rows.any().item<bool>() ? torch::zeros_like(tokens) : tokens;
  }
};

class EmptiesHalf : public Able {
  using Able::Able;
  Tensor emptied(const Tensor& tokens, const Tensor& rows) const override {
    return torch::where(rows, 0.5 * tokens, tokens);
  }
};

/// Prefers small predictions.
class Besides : public Sound, public LearnsBesides {
 public:
  using Sound::Sound;
  Tensor predict(const Prediction& asked) override {
    const Tensor made = Sound::predict(asked);
    if (at::GradMode::is_enabled()) size_ = made.square().mean();
    return made;
  }
  std::vector<Loss> take_losses(const Visual*) override {
    if (!size_.defined()) return {};
    std::vector<Loss> losses{{"size", size_, at::ones({}, size_.options())}};
    forget();
    return losses;
  }

 protected:
  virtual void forget() { size_ = Tensor(); }

 private:
  Tensor size_;
};

class TakesAgain : public Besides {
 public:
  using Besides::Besides;

 protected:
  void forget() override {}
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

constexpr const char* keeping[] = {"predict", "keep"};
constexpr const char* sizes[] = {"size"};

constexpr ComponentDescriptor able(ComponentDescriptor descriptor) {
  descriptor.provides = keeping;
  return descriptor;
}

constexpr ComponentDescriptor with_losses(ComponentDescriptor descriptor) {
  descriptor.losses = sizes;
  return descriptor;
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
    denoiser<CountsFromOne>("counts_from_one", "Takes the time after the one that it is asked for."),
    denoiser<ReadsPadding>("reads_padding", "Reads the padding of source pictures."),
    able(denoiser<Able>("sound_able", "Nothing is wrong with it; it keeps pictures and knows nothing.")),
    able(denoiser<KeepsNothing>("keeps_nothing", "Does not commit the pictures that it is to keep.")),
    able(denoiser<KeepsABlank>("keeps_a_blank", "Keeps a blank picture.")),
    able(denoiser<KeepsTheMean>("keeps_the_mean", "Mixes the pictures that it keeps.")),
    able(denoiser<EmptiesAll>("empties_all", "Where one row stands for nothing, all do.")),
    able(denoiser<EmptiesHalf>("empties_half", "Half of the context is left in what stands for nothing.")),
    with_losses(denoiser<Besides>("sound_besides", "Nothing is wrong with it; it has a loss of its own.")),
    with_losses(denoiser<TakesAgain>("takes_again", "Gives its own loss twice.")),
    denoiser<Besides>("unlisted_besides", "Does not list its own loss."),
    denoiser<Able>("unlisted_keep", "Keeps pictures without saying so."),
    denoiser<MeanOfBatch>("mean_of_batch", "Centres its input over the batch."),
};

}  // namespace
}  // namespace blip3u::mutants

BLIP3U_PLUGIN("mutant_denoisers", "0.1.0", "Apache-2.0", blip3u::mutants::components)
