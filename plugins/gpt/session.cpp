#include "gpt/session.h"

#include <fmt/ranges.h>

#include "blip3u/error.h"

namespace blip3u::gpt {

GptSession::GptSession(Network& network, std::int64_t batch, at::Device device) : network_(network), batch_(batch) {
  past_.caches.resize(static_cast<std::size_t>(network.options.layers));
  past_.next = at::zeros({1}, at::TensorOptions(device).dtype(at::kLong));
}

std::unique_ptr<Session> GptSession::fork() const {
  auto copy = std::make_unique<GptSession>(network_, batch_, past_.next.device());
  copy->past_ = past_;
  return copy;
}

Tensor GptSession::append(const Block& block) {
  check(block);
  const Tensor at = positions(block);
  const auto rotary = layers::rotary_table(at, network_.options.head_width(), network_.rotary_theta);
  std::vector<Cache> caches = past_.caches;
  const Tensor hidden =
      network_.experts[static_cast<std::size_t>(block.expert)]->forward(block.embeds, rotary, sight(block), caches);
  if (block.commit) {
    const std::int64_t length = block.embeds.size(1);
    Tensor valid;
    if (past_.valid.defined() || block.valid.defined()) {
      const auto options = past_.next.options().dtype(at::kBool);
      valid = at::cat({past_.valid.defined() ? past_.valid : at::ones({batch_, past_.length}, options),
                       block.valid.defined() ? block.valid : at::ones({batch_, length}, options)},
                      1);
    }
    past_ = {std::move(caches), std::move(valid), next_positions(block, at), past_.length + length};
  }
  return hidden;
}

void GptSession::check(const Block& block) const {
  const auto fail = [](const std::string& what) { throw Error(Fault::plugin, "backbone `gpt`: " + what); };
  const auto& sizes = block.embeds.sizes();
  if (sizes.size() != 3 || sizes[0] != batch_ || sizes[1] == 0 || sizes[2] != network_.options.width) {
    fail(fmt::format("a block must be [{}, T > 0, {}], but is [{}]", batch_, network_.options.width,
                     fmt::join(sizes.begin(), sizes.end(), ", ")));
  }
  if (block.valid.defined() && block.valid.sizes() != sizes.slice(0, 2)) fail("`valid` of a block must be [B,T]");
  if (block.group.defined() && block.group.sizes() != sizes.slice(1, 1)) fail("`group` of a block must be [T]");
  if (block.positions.defined() && block.positions.sizes() != sizes.slice(0, 2)) {
    fail("`positions` of a block must be [B,T]; rotary positions have one axis here");
  }
  if (block.expert < 0 || block.expert >= static_cast<std::int64_t>(network_.experts.size())) {
    fail(fmt::format("a block asks for expert {}, but there are {}; raise `experts`", block.expert,
                     network_.experts.size()));
  }
}

Tensor GptSession::positions(const Block& block) const {
  if (block.positions.defined()) return block.positions;
  const Tensor next = past_.next.unsqueeze(1);
  // Padding counts for nothing, wherever it stands; its own positions do not matter.
  if (block.valid.defined()) return (next + block.valid.cumsum(1) - 1).clamp_min(0);
  return next + at::arange(block.embeds.size(1), past_.next.options());
}

/// The position after the last valid token of each row; a row of padding leaves its position alone.
Tensor GptSession::next_positions(const Block& block, const Tensor& positions) const {
  if (!block.valid.defined()) return positions.select(1, -1) + 1;
  const Tensor order = at::arange(1, block.valid.size(1) + 1, past_.next.options());
  const Tensor last = (block.valid * order).argmax(1, /*keepdim=*/true);
  return at::where(block.valid.any(1), positions.expand_as(block.valid).gather(1, last).squeeze(1) + 1, past_.next);
}

Sight GptSession::sight(const Block& block) const {
  const std::int64_t length = block.embeds.size(1);
  if (!past_.valid.defined() && !block.valid.defined()) {
    if (length == 1) return {};  // sees all there is
    if (!block.group.defined() && past_.length == 0) return {.bias = {}, .causal = true};
  }
  const auto options = past_.next.options().dtype(at::kBool);
  Tensor own = block.group.defined() ? block.group.unsqueeze(1) >= block.group.unsqueeze(0)
                                     : at::ones({length, length}, options).tril();
  own = block.valid.defined() ? own.logical_and(block.valid.unsqueeze(1)) : own.unsqueeze(0);
  const Tensor past = past_.valid.defined() ? past_.valid.unsqueeze(1) : at::ones({1, 1, past_.length}, options);
  const std::int64_t rows = std::max(own.size(0), past.size(0));
  const Tensor allowed = at::cat({past.expand({rows, length, -1}), own.expand({rows, -1, -1})}, 2);
  return {.bias = layers::attention_bias(allowed.unsqueeze(1), block.embeds.scalar_type()), .causal = false};
}

}  // namespace blip3u::gpt
