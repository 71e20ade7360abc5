#include "partners.h"

#include <cmath>

#include <ATen/ATen.h>

#include "blip3u/random.h"

namespace blip3u::conformance {

namespace {

/// Whole numbers in [first, last), equally likely.
Tensor integers(at::IntArrayRef row_shape, std::int64_t rows, std::int64_t first, std::int64_t last, std::uint64_t seed,
                at::Device device) {
  const Tensor places = Generator::for_rows(seed, 0, rows).uniform(row_shape, device);
  return (places * static_cast<double>(last - first)).floor().to(at::kLong) + first;
}

/// A fixed matrix that keeps the size of what it multiplies.
Tensor matrix(std::int64_t width, std::uint64_t seed, const Tensor& like) {
  return (normal({width, width}, 1, seed, at::kCPU)[0] / std::sqrt(static_cast<double>(width))).to(like.options());
}

}  // namespace

Tensor normal(at::IntArrayRef row_shape, std::int64_t rows, std::uint64_t seed, at::Device device) {
  return Generator::for_rows(seed, 0, rows).normal(row_shape, device);
}

Tensor words(std::int64_t rows, std::int64_t length, const BuildContext& context, std::uint64_t seed) {
  return integers({length}, rows, 3, context.vocabulary, seed, context.device);
}

Tensor images(std::int64_t rows, const BuildContext& context, std::uint64_t seed) {
  const std::int64_t size = context.wiring.image_size;
  return (0.5 * normal({3, size, size}, rows, seed, context.device)).clamp(-1, 1);
}

Tensor image_tokens(const Layout& layout, std::int64_t rows, std::uint64_t seed, at::Device device) {
  if (layout.codebook == 0) return normal({layout.tokens, layout.width}, rows, seed, device);
  return integers({layout.tokens, layout.depth}, rows, 0, layout.codebook, seed, device);
}

Visual as_visual(const Layout& layout, const Tensor& tokens) {
  return layout.codebook == 0 ? Visual{.x = tokens, .codes = {}} : Visual{.x = {}, .codes = tokens};
}

Tensor total(const std::vector<Loss>& losses) {
  Tensor result;
  for (const Loss& loss : losses) {
    const Tensor mean = loss.sum / loss.count;
    result = result.defined() ? result + mean : mean;
  }
  return result;
}

Tensor TinySession::append(const Block& block) {
  const Tensor& embeds = block.embeds;
  const std::int64_t rows = embeds.size(0), length = embeds.size(1), width = embeds.size(2);
  const auto flags = embeds.options().dtype(at::kBool).requires_grad(false);
  const Tensor valid = block.valid.defined() ? block.valid : at::ones({rows, length}, flags);
  const Tensor all = past_.defined() ? at::cat({past_, embeds}, 1) : embeds;
  const Tensor all_valid = past_.defined() ? at::cat({past_valid_, valid}, 1) : valid;
  const Tensor own = block.group.defined() ? block.group.unsqueeze(-1) >= block.group.unsqueeze(-2)
                                           : at::ones({length, length}, flags).tril();
  const Tensor past = at::ones({length, all.size(1) - length}, flags);
  const Tensor sight = at::cat({past.expand({rows, -1, -1}), own.expand({rows, -1, -1})}, 2);
  const Tensor allowed = sight.logical_and(all_valid.unsqueeze(1));
  const Tensor scores =
      embeds.matmul(matrix(width, 1, embeds)).matmul(all.transpose(1, 2)) / std::sqrt(static_cast<double>(width));
  const Tensor seen = scores.masked_fill(allowed.logical_not(), -1e9).softmax(-1).matmul(all);
  if (block.commit) {
    past_ = all;
    past_valid_ = all_valid;
  }
  return at::layer_norm(embeds + seen.matmul(matrix(width, 2, embeds)), {width});
}

std::unique_ptr<Session> TinySession::fork() const {
  auto copy = std::make_unique<TinySession>(batch_);
  copy->past_ = past_;
  copy->past_valid_ = past_valid_;
  return copy;
}

std::int64_t TinySession::length() const { return past_.defined() ? past_.size(1) : 0; }

std::size_t TinySession::bytes() const { return past_.defined() ? past_.nbytes() : 0; }

std::unique_ptr<Session> TinySession::rows(const Tensor& index) const {
  auto chosen = std::make_unique<TinySession>(index.size(0));
  if (past_.defined()) {
    const Tensor own = index.to(past_.device());
    chosen->past_ = past_.index_select(0, own);
    chosen->past_valid_ = past_valid_.index_select(0, own);
  }
  return chosen;
}

TinyBackbone::TinyBackbone(std::int64_t words, std::int64_t width, at::Device device)
    : table_(normal({width}, words, 4, device)) {}

Tensor TinyBackbone::embed(const Tensor& ids) { return at::embedding(table_, ids); }

/// As wide as the backbone, by repetition.
Block TinyBackbone::embed_visual(const Visual& visual) {
  const std::int64_t times = width() / visual.x.size(2) + 1;
  return {.embeds = visual.x.repeat({1, 1, times}).slice(2, 0, width()), .valid = visual.valid};
}

Tensor TinyBackbone::logits(const Tensor& hidden) { return at::linear(hidden, table_); }

std::unique_ptr<Session> read(const Tensor& embeds) {
  auto session = std::make_unique<TinySession>(embeds.size(0));
  Block block;
  block.embeds = embeds;
  session->append(block);
  return session;
}

CodeDenoiser::CodeDenoiser(Layout layout) : layout_(std::move(layout)) {
  if (layout_.groups.empty()) layout_.groups = {layout_.tokens};
}

Tensor CodeDenoiser::logits(const Tensor& before, const Condition& condition) const {
  const Tensor code = at::arange(layout_.codebook, before.options().dtype(at::kFloat));
  const Tensor own = 2 * (0.7 * before.to(at::kFloat).unsqueeze(-1) + 1.3 * code).sin();
  return condition.tokens.defined() ? own + condition.tokens * code.cos() : own;
}

Tensor CodeDenoiser::predict(const Prediction& asked) {
  const Tensor& codes = asked.noised.codes;
  std::vector<Tensor> levels;
  for (std::int64_t level = 0; level < layout_.depth; ++level) {
    Tensor before;
    if (level > 0) {
      before = codes.select(2, level - 1);
    } else {
      std::vector<Tensor> groups;
      std::int64_t first = 0;
      for (const std::int64_t count : layout_.groups) {
        const Tensor last = first > 0 ? codes.select(2, layout_.depth - 1).narrow(1, first - 1, 1)
                                      : at::zeros({codes.size(0), 1}, codes.options());
        groups.push_back(last.expand({-1, count}));
        first += count;
      }
      before = at::cat(groups, 1);
    }
    levels.push_back(logits(before, asked.condition));
  }
  return at::stack(levels, 2);
}

class CodeDenoiser::Levels : public Stream {
 public:
  Levels(const CodeDenoiser& owner, const Condition& condition) : owner_(owner), condition_(condition) {}

  Tensor scores() override {
    const std::int64_t count = owner_.layout_.groups.at(group_);
    if (!last_.defined()) {
      const Tensor& tokens = condition_.tokens;
      last_ = at::zeros({tokens.size(0), 1}, tokens.options().dtype(at::kLong).requires_grad(false));
    }
    return owner_.logits(level_ == 0 ? last_.slice(1, -1).expand({-1, count}) : last_, condition_);
  }
  void push(const Tensor& chosen) override {
    last_ = chosen;
    if (++level_ < owner_.layout_.depth) return;
    level_ = 0;
    ++group_;
  }
  bool done() const override { return group_ == owner_.layout_.groups.size(); }

 private:
  const CodeDenoiser& owner_;
  const Condition& condition_;
  Tensor last_;  // [B,n] of the level or, at first, of the group before
  std::size_t group_ = 0;
  std::int64_t level_ = 0;
};

std::unique_ptr<Stream> CodeDenoiser::stream(const Condition& condition) {
  return std::make_unique<Levels>(*this, condition);
}

}  // namespace blip3u::conformance
