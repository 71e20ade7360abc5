// denoiser dit: a transformer over image tokens with adaptive norms (Peebles & Xie 2023) that cross-attends to what
// learnable queries read from the backbone, and to what the link before it made. It may also see the last picture of
// the context beside what it makes, token by token (InstructPix2Pix, Brooks et al. 2023, arXiv:2211.09800,
// section 3.2).
#include "blip3u/denoiser.h"
#include "blip3u/module_component.h"
#include "layers/grid_checks.h"
#include "layers/join.h"
#include "layers/merge.h"
#include "layers/pooled.h"
#include "layers/positions.h"
#include "layers/previous.h"
#include "layers/queries.h"
#include "layers/time_embedding.h"
#include "layers/transformer_stack.h"

namespace blip3u {
namespace {

class Dit : public ModuleComponent<Denoiser> {
 public:
  Dit(const Parameters& parameters, const BuildContext& context)
      : merge_(parameters.integer("merge")),
        queries_(parameters, context, parameters.integer("width")),
        time_(parameters.integer("width")) {
    const std::int64_t width = parameters.integer("width");
    const std::int64_t tokens = context.wiring.features.tokens / (merge_ * merge_);
    const std::int64_t numbers = context.wiring.features.width * merge_ * merge_;  // a token
    register_module("queries", queries_);
    register_module("time", time_);
    if (const Layout& previous = context.wiring.previous; previous.tokens > 0) {
      previous_ = register_module("previous", layers::Previous(previous, width, context.seed));
    }
    if (parameters.boolean("pooled_condition")) {
      pooled_ = register_module("pooled", torch::nn::Linear(width, width));
    }
    input_ = register_module("input", torch::nn::Linear(numbers, width));
    if (parameters.boolean("source")) source_ = register_module("source", torch::nn::Linear(numbers, width));
    positions_ = register_parameter("positions",
                                    layers::token_positions(parameters.text("positions"), tokens, width, context.seed));
    blocks_ = register_module(
        "blocks", layers::TransformerStack(parameters.integer("layers"),
                                           layers::TransformerOptions{.width = width,
                                                                      .heads = parameters.integer("heads"),
                                                                      .hidden_ratio = parameters.number("hidden_ratio"),
                                                                      .adaptive = true,
                                                                      .context_width = width}));
    output_ = register_module("output", layers::AdaptiveOutput(width, width, numbers));
    finish(context);
    layers::zero_adaptive(*this, parameters.number("gate_start"));
  }

  std::unique_ptr<Condition> prepare(const Given& given) override {
    auto condition = std::make_unique<Prepared>(&given.context, queries_(given.context));
    if (previous_) read_previous(*given.previous, *condition);
    if (source_) condition->source = read_sources(given.sources);
    if (at::GradMode::is_enabled()) return condition;
    for (auto& block : blocks_->blocks()) condition->context_of.push_back(block->read(condition->tokens));
    if (pooled_ || given.times.empty()) return condition;  // else the time alone steers the norms
    const std::vector<float> times(given.times.begin(), given.times.end());
    const Tensor steering = time_(at::tensor(times).to(condition->tokens.device()));
    for (auto& block : blocks_->blocks()) condition->modulation_of.push_back(block->modulation(steering));
    condition->output_modulation = output_->modulation(steering);
    return condition;
  }

  Tensor predict(const Prediction& asked) override {
    const Condition& condition = asked.condition;
    const auto* const prepared = dynamic_cast<const Prepared*>(&condition);
    const auto* const kept = at::GradMode::is_enabled() ? nullptr : prepared;
    const bool steered = kept && asked.step >= 0 && kept->output_modulation.defined();
    layers::TransformerInputs inputs{.context = condition.tokens, .context_mask = condition.mask};
    if (!steered) {
      inputs.condition = time_(asked.time);
      if (pooled_) inputs.condition = inputs.condition + pooled_(layers::pooled(condition.tokens, condition.mask));
    }
    std::vector<layers::BlockMemory> memories;
    for (std::size_t i = 0; kept && i < kept->context_of.size(); ++i) {
      memories.push_back({.context = kept->context_of[i]});
      if (steered) memories.back().modulation = kept->modulation_of[i].slice(0, asked.step, asked.step + 1);
    }
    const Tensor tokens = layers::merge_squares(asked.noised.x, merge_).to(positions_.scalar_type());
    Tensor x = input_(tokens) + positions_;
    if (prepared && prepared->source.defined()) x = x + prepared->source;
    x = blocks_->forward(x, inputs, memories);
    const Tensor made = output_->modulated(x, steered ? kept->output_modulation.slice(0, asked.step, asked.step + 1)
                                                      : output_->modulation(inputs.condition));
    return layers::split_squares(made, merge_).to(at::kFloat);
  }

 private:
  /// Puts what the link before this one made behind the queries' reading.
  void read_previous(const Visual& previous, Condition& condition) {
    const Tensor tokens = previous_(previous);
    if (previous.valid.defined()) {
      condition.mask =
          at::cat({at::ones(condition.tokens.sizes().slice(0, 2), previous.valid.options()), previous.valid}, 1);
    }
    condition.tokens = at::cat({condition.tokens, tokens}, 1);
  }

  /// Of each row the last picture of its context: [B,N,width], zeros where there is none; undefined if no row has any.
  Tensor read_sources(std::span<const Visual> sources) {
    Tensor last;
    for (const Visual& source : sources) {
      Tensor tokens = source_(layers::merge_squares(source.x, merge_).to(positions_.scalar_type()));
      if (!source.valid.defined()) {
        last = tokens;
        continue;
      }
      const Tensor has = source.valid.any(1).view({-1, 1, 1});
      last = at::where(has, tokens, last.defined() ? last : at::zeros_like(tokens));
    }
    return last;
  }

  /// What depends on the condition and on the solver's times alone is computed once an image, without gradients.
  struct Prepared : Condition {
    using Condition::Condition;
    Tensor source;                             // [B,N,width]
    std::vector<layers::KeyValue> context_of;  // of each block
    std::vector<Tensor> modulation_of;         // of each block, [times,...]
    Tensor output_modulation;                  // [times,...]
  };

  std::int64_t merge_;
  layers::Queries queries_;
  layers::Previous previous_{nullptr};
  layers::TimeEmbedding time_;
  torch::nn::Linear pooled_{nullptr}, input_{nullptr}, source_{nullptr};
  Tensor positions_;
  layers::TransformerStack blocks_{nullptr};
  layers::AdaptiveOutput output_{nullptr};
};

void check(const Parameters& parameters, Wiring& wiring) {
  layers::check_queries(wiring);
  layers::check_positions(parameters, "positions", wiring.features.tokens, wiring);
  layers::check_merge(parameters.integer("merge"), wiring.features.tokens, wiring);
  layers::check_heads(parameters.integer("width"), parameters.integer("heads"), "heads", wiring);
}

constexpr const char* provides[] = {"predict"};
constexpr const char* needs[] = {"session"};
constexpr ParameterSpec own_parameters[] = {
    integer("width", 192, 1, 65536, "width of the transformer and of the condition's tokens"),
    integer("layers", 4, 1, 1024, "transformer blocks"),
    integer("heads", 6, 1, 1024, "attention heads; must divide width"),
    number("hidden_ratio", 4.0, 0.25, 64.0, "hidden width of the feed-forward layers as a multiple of width"),
    integer("merge", 1, 1, 64, "side of the squares of neighbouring image tokens that are worked on as one; 1: each"),
    text("positions", "sin_cos", layers::positions_documentation, layers::position_starts),
    number("gate_start", 1.0, 0.0, 1.0, "initial value of the adaptive gates; 0 starts each block as the identity"),
    boolean("source", false, "see the last picture of the context beside what is made, token by token: for edits"),
    boolean("pooled_condition", true, "steer the norms by the mean of the condition's tokens besides the time"),
};
constexpr auto parameters = layers::join(own_parameters, layers::query_parameters);

constexpr ComponentDescriptor components[] = {
    {.kind = Kind::denoiser,
     .name = "dit",
     .summary =
         "Adaptive-norm transformer with cross-attention to learnable queries' reading of the prompt, and to what the "
         "link before it made.",
     .provides = provides,
     .needs = needs,
     .parameters = parameters,
     .check = check,
     .create = create<Dit>}};

}  // namespace
}  // namespace blip3u

BLIP3U_PLUGIN("dit", "0.1.0", "Apache-2.0", blip3u::components)
