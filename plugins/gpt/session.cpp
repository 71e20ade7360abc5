#include "gpt/session.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "blip3u/error.h"

namespace blip3u::gpt {

namespace {

[[noreturn]] void fail(const std::string& what) { throw Error(Fault::plugin, "backbone `gpt`: " + what); }

/// Whether `tensor` is undefined, [T] or [B,T] for a block of these sizes.
bool by_place_or_token(const Tensor& tensor, at::IntArrayRef sizes) {
  return !tensor.defined() || tensor.sizes() == sizes.slice(1, 1) || tensor.sizes() == sizes.slice(0, 2);
}

}  // namespace

GptSession::GptSession(Network& network, std::int64_t batch) : network_(network), batch_(batch) {
  past_.memory = std::make_shared<Memory>();
  past_.memory->layers.resize(static_cast<std::size_t>(network.options.layers));
}

std::unique_ptr<Session> GptSession::fork() const {
  auto copy = std::make_unique<GptSession>(network_, batch_);
  copy->past_ = past_;
  return copy;
}

Tensor GptSession::append(const Block& block) {
  check(block);
  const Routes routes(network_.experts, experts_of(block), network_.rotary.device());
  const std::int64_t more = block.embeds.size(1), longer = past_.length + more;
  const Standing standing = stand(block);
  const bool in_place = !at::GradMode::is_enabled();
  if (in_place) {
    past_.memory = Memory::with_room(past_.memory, past_.length, more,
                                     {batch_, network_.options.key_heads, 0, network_.options.head_width()},
                                     block.embeds.options());
  }
  std::vector<Cache> caches = past_.memory->layers;
  Tensor hidden = forward(network_.options, block.embeds,
                          {.routes = routes,
                           .rotary = standing.rotary,
                           .sight = sight(block),
                           .caches = caches,
                           .length = past_.length,
                           .in_place = in_place});
  if (!block.commit) return hidden;
  if (past_.valid.defined() || block.valid.defined()) {
    past_.valid = at::cat({valid(), block.valid.defined() ? block.valid : at::ones({batch_, more}, flags())}, 1);
  }
  if (!in_place) past_.memory = std::make_shared<Memory>(Memory{.layers = std::move(caches)});
  past_.memory->filled = past_.length = longer;
  past_.next = standing.next;
  past_.shared_next = standing.shared_next;
  return hidden;
}

void GptSession::check(const Block& block) const {
  const at::IntArrayRef sizes = block.embeds.sizes();
  if (sizes.size() != 3 || sizes[0] != batch_ || sizes[1] == 0 || sizes[2] != network_.options.width) {
    fail(fmt::format("a block must be [{}, T > 0, {}], but is [{}]", batch_, network_.options.width,
                     fmt::join(sizes.begin(), sizes.end(), ", ")));
  }
  const at::IntArrayRef tokens = sizes.slice(0, 2);
  if (block.valid.defined() && block.valid.sizes() != tokens) fail("`valid` of a block must be [B,T]");
  if (!by_place_or_token(block.group, sizes)) fail("`group` of a block must be [T] or [B,T]");
  if (!by_place_or_token(block.expert, sizes)) fail("`expert` of a block must be [T] or [B,T]");
  const std::int64_t axes = network_.rotary.axes();
  if (block.places.defined() && block.places.sizes() != tokens &&
      block.places.sizes() != std::vector<std::int64_t>({sizes[0], sizes[1], axes})) {
    fail(
        fmt::format("`places` of a block must be [B,T] or [B,T,{0}]; its rotary positions have {0} axes "
                    "(rotary_sections)",
                    axes));
  }
}

/// [B,T] on the CPU, or undefined where all is the first's.
Tensor GptSession::experts_of(const Block& block) const {
  if (!block.expert.defined()) return {};
  const Tensor expert = block.expert.to(at::kCPU);
  const auto count = static_cast<std::int64_t>(network_.experts.size());
  const std::int64_t least = expert.min().item<std::int64_t>(), most = expert.max().item<std::int64_t>();
  if (least < 0 || most >= count) {
    fail(fmt::format("a block asks for expert {}, but there are {}; raise `experts`", least < 0 ? least : most, count));
  }
  return most == 0 ? Tensor() : expert.expand({batch_, block.embeds.size(1)});
}

Tensor GptSession::next() const {
  return past_.next.defined() ? past_.next : at::full({batch_}, past_.shared_next, numbers());
}

Tensor GptSession::valid() const {
  return past_.valid.defined() ? past_.valid : at::ones({batch_, past_.length}, flags());
}

GptSession::Standing GptSession::stand(const Block& block) const {
  const std::int64_t length = block.embeds.size(1);
  if (!block.valid.defined() && !block.places.defined() && !past_.next.defined()) {
    return {.rotary = network_.rotary.range(past_.shared_next, length),
            .next = {},
            .shared_next = past_.shared_next + length};
  }
  Tensor places = block.places;
  // Padding counts for nothing, wherever it stands; its own positions do not matter.
  if (!places.defined()) {
    places = block.valid.defined() ? block.valid.cumsum(1) - 1 : at::arange(length, numbers()).unsqueeze(0);
  }
  const Tensor before = next();
  const Tensor positions = (places.dim() == 3 ? before.view({-1, 1, 1}) : before.unsqueeze(1)) + places;
  Tensor farthest = places.dim() == 3 ? places.amax(2) : places;
  if (block.valid.defined()) farthest = at::where(block.valid, farthest, -1);
  return {.rotary = network_.rotary.at_positions(positions),
          .next = before + (farthest.amax(1) + 1).clamp_min(0),
          .shared_next = 0};
}

Sight GptSession::sight(const Block& block) const {
  const std::int64_t length = block.embeds.size(1);
  if (!past_.valid.defined() && !block.valid.defined()) {
    if (length == 1) return {};
    if (!block.group.defined() && past_.length == 0) return {.causal = true};
  }
  Tensor own = block.group.defined() ? block.group.unsqueeze(-1) >= block.group.unsqueeze(-2)
                                     : at::ones({length, length}, flags()).tril();
  if (own.dim() == 2) own = own.unsqueeze(0);
  if (block.valid.defined()) own = own.logical_and(block.valid.unsqueeze(1));
  const Tensor past = past_.valid.defined() ? past_.valid.unsqueeze(1) : at::ones({1, 1, past_.length}, flags());
  const std::int64_t rows = std::max(own.size(0), past.size(0));
  const Tensor allowed = at::cat({past.expand({rows, length, -1}), own.expand({rows, -1, -1})}, 2);
  return {.bias = layers::attention_bias(allowed.unsqueeze(1), block.embeds.scalar_type())};
}

std::unique_ptr<Session> GptSession::rows(const Tensor& index) const {
  if (index.dim() != 1 || index.size(0) == 0) fail("`rows` of a session needs an index [B' > 0]");
  const Tensor chosen = index.to(network_.rotary.device());
  const auto choose = [&](const Tensor& tensor) { return tensor.defined() ? tensor.index_select(0, chosen) : tensor; };
  auto result = std::make_unique<GptSession>(network_, index.size(0));
  Past& past = result->past_;
  if (past_.length > 0) {
    for (std::size_t layer = 0; layer < past.memory->layers.size(); ++layer) {
      const Cache seen = past_.memory->layers[layer].first(past_.length);
      past.memory->layers[layer] = {choose(seen.keys), choose(seen.values)};
    }
  }
  past.memory->filled = past.length = past_.length;
  past.valid = choose(past_.valid);
  past.next = choose(past_.next);
  past.shared_next = past_.shared_next;
  return result;
}

std::unique_ptr<Session> GptSession::join(Network& network, std::span<Session* const> sessions) {
  std::vector<const GptSession*> parts;
  const GptSession* longest = nullptr;
  std::int64_t batch = 0;
  for (const Session* session : sessions) {
    const auto* part = dynamic_cast<const GptSession*>(session);
    if (part == nullptr || &part->network_ != &network) fail("`join` takes sessions that this backbone began");
    parts.push_back(part);
    batch += part->batch_;
    if (longest == nullptr || part->past_.length > longest->past_.length) longest = part;
  }
  if (parts.empty()) fail("`join` needs at least one session");
  const std::int64_t length = longest->past_.length;
  auto result = std::make_unique<GptSession>(network, batch);
  Past& past = result->past_;
  const auto together = [&](const auto& of_part) {
    std::vector<Tensor> tensors;
    for (const GptSession* part : parts) tensors.push_back(of_part(*part));
    return at::cat(tensors);
  };
  for (std::size_t layer = 0; length > 0 && layer < past.memory->layers.size(); ++layer) {
    const auto padded = [&](Tensor Cache::*which) {
      return together([&](const GptSession& part) {
        if (part.past_.length > 0) {
          const Tensor seen = (part.past_.memory->layers[layer].*which).narrow(2, 0, part.past_.length);
          return at::constant_pad_nd(seen, {0, 0, 0, length - part.past_.length});
        }
        return at::zeros({part.batch_, network.options.key_heads, length, network.options.head_width()},
                         (longest->past_.memory->layers[layer].*which).options());
      });
    };
    past.memory->layers[layer] = {padded(&Cache::keys), padded(&Cache::values)};
  }
  past.memory->filled = past.length = length;
  const Past& first = parts.front()->past_;
  if (std::ranges::any_of(
          parts, [&](const auto* part) { return part->past_.valid.defined() || part->past_.length != length; })) {
    past.valid = together([&](const GptSession& part) {
      return at::constant_pad_nd(part.valid(), {0, length - part.past_.length});
    });
  }
  if (std::ranges::any_of(parts, [&](const auto* part) {
        return part->past_.next.defined() || part->past_.shared_next != first.shared_next;
      })) {
    past.next = together([](const GptSession& part) { return part.next(); });
  } else {
    past.shared_next = first.shared_next;
  }
  return result;
}

}  // namespace blip3u::gpt
