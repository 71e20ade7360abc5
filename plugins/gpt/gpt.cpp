// backbone gpt: a small autoregressive transformer that reads text and image features.
#include <cmath>

#include <fmt/format.h>

#include "blip3u/module_component.h"
#include "gpt/session.h"
#include "layers/feed_forward.h"
#include "layers/grid_checks.h"
#include "layers/merge.h"

namespace blip3u::gpt {
namespace {

class Gpt : public ModuleComponent<Backbone> {
 public:
  Gpt(const Parameters& parameters, const BuildContext& context) : device_(context.device) {
    network_.options = {.width = parameters.integer("width"),
                        .layers = parameters.integer("layers"),
                        .heads = parameters.integer("heads"),
                        .key_heads = parameters.integer("kv_heads"),
                        .hidden = parameters.integer("hidden"),
                        .query_key_norm = parameters.boolean("query_key_norm")};
    network_.rotary_theta = parameters.number("rotary_theta");
    torch::nn::ModuleList experts;
    for (std::int64_t i = 0; i < parameters.integer("experts"); ++i) {
      network_.experts.emplace_back(network_.options);
      experts->push_back(network_.experts.back());
    }
    register_module("experts", experts);
    make_tables(parameters, context);
    finish(context);
  }

  std::int64_t width() const override { return network_.options.width; }

  Tensor embed(const Tensor& ids) override { return at::embedding(embedding_, ids); }

  Tensor embed_visual(const Visual& visual) override {
    if (!visual_positions_.defined()) {
      throw Error(Fault::usage, "backbone `gpt` was built without an encoder, so it cannot read images; name one");
    }
    if (!visual.x.defined()) {
      throw Error(Fault::plugin, "backbone `gpt` reads features, but the encoder gave codes without their embedding");
    }
    return visual_projector_.forward(layers::merge_squares(visual.x, merge_)) + visual_positions_;
  }

  Tensor logits(const Tensor& hidden) override { return at::linear(hidden, head_.defined() ? head_ : embedding_); }

  std::unique_ptr<Session> begin(std::int64_t batch) override {
    return std::make_unique<GptSession>(network_, batch, device_);
  }

 private:
  void make_tables(const Parameters& parameters, const BuildContext& context) {
    if (context.vocabulary <= 0) {
      throw Error(Fault::usage, "backbone `gpt` needs a vocabulary; fit or restore the tokenizer first");
    }
    const std::int64_t width = network_.options.width;
    embedding_ = register_parameter(
        "embedding", learned_table({context.vocabulary, width}, parameters.number("embedding_deviation"), context.seed,
                                   "embedding"));
    if (!parameters.boolean("tied_embeddings")) {
      head_ = register_parameter(
          "head",
          learned_table({context.vocabulary, width}, 1 / std::sqrt(static_cast<double>(width)), context.seed, "head"));
    }
    const Layout& features = context.wiring.features;
    if (features.tokens == 0) return;
    merge_ = parameters.integer("merge");
    const std::int64_t input = features.width * merge_ * merge_;
    if (parameters.text("visual_projector") == "mlp") {
      visual_projector_ = torch::nn::AnyModule(layers::FeedForward(input, width, width));
    } else {
      visual_projector_ = torch::nn::AnyModule(torch::nn::Linear(input, width));
    }
    register_module("visual_projector", visual_projector_.ptr());
    visual_positions_ = register_parameter(
        "visual_positions",
        learned_table({features.tokens / (merge_ * merge_), width}, 0.02, context.seed, "visual_positions"));
  }

  at::Device device_;
  Network network_;
  Tensor embedding_, head_, visual_positions_;
  torch::nn::AnyModule visual_projector_;
  std::int64_t merge_ = 1;
};

void check(const Parameters& parameters, Wiring& wiring) {
  const std::int64_t width = parameters.integer("width");
  const std::int64_t heads = parameters.integer("heads");
  const std::int64_t key_heads = parameters.integer("kv_heads");
  wiring.backbone_width = width;
  layers::check_heads(width, heads, "heads", wiring);
  if (width % heads == 0 && width / heads % 2 != 0) {
    wiring.reject("heads", fmt::format("rotary positions need an even number of dimensions a head, but {} / {} is {}; "
                                       "choose another width or number of heads",
                                       width, heads, width / heads));
  }
  if (heads % key_heads != 0) {
    wiring.reject("kv_heads", fmt::format("{} heads of keys cannot be shared evenly by {} heads of queries; choose a "
                                          "divisor of `heads`",
                                          key_heads, heads));
  }
  layers::check_merge(parameters.integer("merge"), wiring);
}

constexpr const char* provides[] = {"session"};
constexpr const char* projectors[] = {"mlp", "linear"};
constexpr ParameterSpec parameters[] = {
    integer("width", 128, 2, 65536, "width of the hidden states"),
    integer("layers", 3, 1, 1024, "transformer layers"),
    integer("heads", 4, 1, 1024, "heads of queries; must divide width"),
    integer("kv_heads", 2, 1, 1024, "heads of keys and values; must divide heads (grouped-query attention)"),
    integer("hidden", 352, 1, 1048576, "hidden width of the feed-forward layers (SwiGLU)"),
    number("rotary_theta", 10000.0, 1.0, 1e12, "base of the rotary positions' wavelengths"),
    boolean("query_key_norm", true, "normalise queries and keys head by head, which steadies training"),
    boolean("tied_embeddings", false, "use the table of word embeddings as output layer too"),
    number("embedding_deviation", 0.5, 0.0, 10.0, "standard deviation of the word embeddings' initial values"),
    integer("experts", 1, 1, 16, "sets of transformer weights with shared attention (mixture of transformers)"),
    text("visual_projector", "mlp", "what turns image features into tokens: Linear-GELU-Linear, or one Linear",
         projectors),
    integer("merge", 1, 1, 64, "side of the squares of neighbouring image tokens that enter as one; 1: each alone"),
};

constexpr ComponentDescriptor components[] = {
    {.kind = Kind::backbone,
     .name = "gpt",
     .summary = "Autoregressive transformer with rotary positions, SwiGLU, grouped-query attention and a cache.",
     .provides = provides,
     .parameters = parameters,
     .check = check,
     .create = create<Gpt>}};

}  // namespace
}  // namespace blip3u::gpt

BLIP3U_PLUGIN("gpt", "0.1.0", "Apache-2.0", blip3u::gpt::components)
