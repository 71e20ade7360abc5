// backbone gpt: a small autoregressive transformer that reads text and image features.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <fmt/ranges.h>

#include "blip3u/module_component.h"
#include "blip3u/random.h"
#include "gpt/eye.h"
#include "gpt/session.h"
#include "layers/grid_checks.h"

namespace blip3u::gpt {
namespace {

StackOptions stack_options(const Parameters& parameters) {
  return {.width = parameters.integer("width"),
          .layers = parameters.integer("layers"),
          .heads = parameters.integer("heads"),
          .key_heads = parameters.integer("kv_heads"),
          .hidden = parameters.integer("hidden"),
          .query_key_norm = parameters.boolean("query_key_norm")};
}

std::vector<std::int64_t> rotary_sections(const Parameters& parameters) {
  const std::vector<double>& sections = parameters.numbers("rotary_sections");
  return {sections.begin(), sections.end()};
}

/// The layouts of what the encoders make that the backbone reads with.
std::vector<Layout> layouts_read(const Wiring& wiring) {
  if (!wiring.reads.empty()) return wiring.reads;
  return wiring.features.tokens > 0 ? std::vector{wiring.features} : std::vector<Layout>();
}

class Gpt : public ModuleComponent<Backbone>, public Joins {
 public:
  Gpt(const Parameters& parameters, const BuildContext& context)
      : network_{
            .options = stack_options(parameters),
            .rotary = layers::Rotary(parameters.integer("width") / parameters.integer("heads"),
                                     parameters.number("rotary_theta"), rotary_sections(parameters), context.device)} {
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

  Block embed_visual(const Visual& visual) override {
    if (eyes_.empty()) {
      throw Error(Fault::usage, "backbone `gpt` was built without an encoder, so it cannot read images; name one");
    }
    const auto source = static_cast<std::size_t>(visual.source);
    if (visual.source < 0 || source >= eyes_.size()) {
      throw Error(Fault::plugin, fmt::format("backbone `gpt` reads with {} encoders, but got features of number {}; "
                                             "count Visual::source from 0",
                                             eyes_.size(), visual.source));
    }
    return eyes_[source]->forward(visual, network_.rotary.axes());
  }

  Tensor logits(const Tensor& hidden) override { return at::linear(hidden, head_.defined() ? head_ : embedding_); }

  std::unique_ptr<Session> begin(std::int64_t batch) override { return std::make_unique<GptSession>(network_, batch); }

  std::unique_ptr<Session> join(std::span<Session* const> sessions) override {
    return GptSession::join(network_, sessions);
  }

 private:
  void make_tables(const Parameters& parameters, const BuildContext& context) {
    if (context.vocabulary <= 0) {
      throw Error(Fault::usage, "backbone `gpt` needs a vocabulary; fit or restore the tokenizer first");
    }
    const std::int64_t width = network_.options.width, words = context.vocabulary + context.wiring.extra_words;
    embedding_ = register_parameter("embedding", learned_table({words, width}, parameters.number("embedding_deviation"),
                                                               context.seed, "embedding"));
    if (!parameters.boolean("tied_embeddings")) {
      head_ = register_parameter(
          "head", learned_table({words, width}, 1 / std::sqrt(static_cast<double>(width)), context.seed, "head"));
    }
    for (const Layout& layout : layouts_read(context.wiring)) {
      const std::string name = eyes_.empty() ? "eye" : fmt::format("eye_{}", eyes_.size());
      eyes_.push_back(register_module(name, Eye(layout, parameters, width, derive_seed(context.seed, name))));
    }
  }

  Network network_;
  Tensor embedding_, head_;
  std::vector<Eye> eyes_;  ///< one for each encoder that it reads with
};

void check_sections(const Parameters& parameters, std::int64_t pairs, Wiring& wiring) {
  const std::vector<double>& sections = parameters.numbers("rotary_sections");
  const bool whole = std::ranges::all_of(sections, [](double size) { return size == std::floor(size); });
  if (sections.empty() || (whole && std::accumulate(sections.begin(), sections.end(), 0.0) == pairs)) return;
  wiring.reject("rotary_sections", fmt::format("they must be whole numbers that sum to {}, half the width of a head, "
                                               "but are {}",
                                               pairs, fmt::join(sections, ", ")));
}

void check(const Parameters& parameters, Wiring& wiring) {
  const std::int64_t width = parameters.integer("width");
  const std::int64_t heads = parameters.integer("heads");
  const std::int64_t key_heads = parameters.integer("kv_heads");
  wiring.backbone_width = width;
  wiring.experts = parameters.integer("experts");
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
  check_sections(parameters, width / heads / 2, wiring);
  for (const Layout& layout : layouts_read(wiring)) check_eye(layout, parameters, wiring);
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
    numbers("rotary_sections", "", 1, 65536,
            "how many pairs of a head's dimensions turn by each axis of a place (frame, row, column); empty: one axis"),
    boolean("query_key_norm", true, "normalise queries and keys head by head, which steadies training"),
    boolean("tied_embeddings", false, "use the table of word embeddings as output layer too"),
    number("embedding_deviation", 0.5, 0.0, 10.0, "standard deviation of the word embeddings' initial values"),
    integer("experts", 1, 1, 16, "sets of transformer weights with shared attention (mixture of transformers)"),
    text("visual_projector", "mlp", "what turns image features into tokens: Linear-GELU-Linear, or one Linear",
         projectors),
    integer("merge", 1, 1, 64, "side of the squares of neighbouring image tokens that enter as one; 1: each alone"),
    text("image_positions", "random", layers::positions_documentation, layers::position_starts),
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
