// Backbones: the cache and the one mask rule.
#include <array>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "blip3u/backbone.h"
#include "kinds.h"
#include "partners.h"

namespace blip3u::conformance {

namespace {

constexpr std::int64_t length = 7;

Backbone& backbone(Component& component) { return dynamic_cast<Backbone&>(component); }

/// A copy, so that a session that writes to its input spoils one check alone.
Block block_of(const Tensor& embeds) {
  Block block;
  block.embeds = embeds.clone();
  return block;
}

/// A disturbed backbone, text for it, and what the checks do with both. Without gradients.
class Reader {
 public:
  explicit Reader(const Subject& subject)
      : component_(subject.make_disturbed()),
        embeds(backbone().embed(words(rows, length, subject.context(), subject.options().seed + 5))),
        noise(normal(embeds.sizes().slice(1), rows, subject.options().seed + 6, embeds.device())) {}

  Backbone& backbone() const { return conformance::backbone(*component_); }
  std::unique_ptr<Session> begin(std::int64_t batch = rows) const { return backbone().begin(batch); }
  Tensor hidden(const Block& block) const { return begin(block.embeds.size(0))->append(block); }

  /// The largest change of each place [T] from a to b, relative to the values' size.
  static Tensor change(const Tensor& a, const Tensor& b) { return (a - b).abs().amax({0, 2}) / b.abs().max(); }

 private:
  const at::NoGradGuard no_gradient_;
  std::unique_ptr<Component> component_;

 public:
  const Tensor embeds, noise;  // [B,T,C]
};

constexpr double rounding = 1e-4;

void compare(const Tensor& found, const Tensor& expected, const char* what) {
  if (const double distance = difference(found, expected); !(distance <= rounding)) {
    fail("{} (they differ by {:.2g})", what, distance);
  }
}

void cache(const Subject& subject) {
  const Reader reader(subject);
  Backbone& backbone = reader.backbone();
  const Tensor full = backbone.logits(reader.hidden(block_of(reader.embeds)));
  for (const std::int64_t piece : {3, 1}) {
    const auto session = reader.begin();
    Tensors parts;
    for (std::int64_t first = 0; first < length; first += piece) {
      const Tensor part = reader.embeds.slice(1, first, std::min(first + piece, length));
      parts.push_back(backbone.logits(session->append(block_of(part))));
    }
    compare(at::cat(parts, 1), full,
            piece == 1 ? "logits token by token are not those of one append; look at cached keys, values and positions"
                       : "logits of several appends are not those of one; look at cached keys, values and positions");
  }
  const auto original = reader.begin();
  original->append(block_of(reader.embeds.slice(1, 0, 3)));
  const auto fork = original->fork();
  const Tensor other = reader.embeds.flip({1}).slice(1, 0, 4);
  const Tensor forked = fork->append(block_of(other));
  const Tensor continued = backbone.logits(original->append(block_of(reader.embeds.slice(1, 3))));
  compare(continued, full.slice(1, 3), "appending to a fork changes the original session; copy what append writes to");
  const Tensor alone = reader.hidden(block_of(at::cat({reader.embeds.slice(1, 0, 3), other}, 1)));
  compare(forked, alone.slice(1, 3), "a fork does not continue from the past that it shares");
  const auto second = original->fork();
  original->append(block_of(other));
  compare(second->append(block_of(other.slice(1, 0, 1))),
          reader.hidden(block_of(at::cat({reader.embeds, other.slice(1, 0, 1)}, 1))).slice(1, length),
          "appending to the original changes its fork; copy what append writes to");
}

void no_later_token(const Reader& reader) {
  const Tensor before = reader.hidden(block_of(reader.embeds));
  for (std::int64_t changed = 0; changed < length; ++changed) {
    Tensor embeds = reader.embeds.clone();
    embeds.select(1, changed).add_(reader.noise.select(1, changed));
    const Tensor change = Reader::change(reader.hidden(block_of(embeds)), before);
    if (changed > 0 && change.slice(0, 0, changed).max().item<double>() > 1e-5) {
      fail("changing token {} changes earlier hidden states: the future leaks into the past; mask it", changed);
    }
    for (std::int64_t later = changed; later < length; ++later) {
      if (change[later].item<double>() > 0) continue;
      fail("token {} does not see token {}: only later ones may be hidden", later, changed);
    }
  }
}

void no_trace_of_uncommitted(const Reader& reader) {
  const auto plain = reader.begin(), disturbed = reader.begin();
  const auto prefix = [&] { return block_of(reader.embeds.slice(1, 0, 3)); };
  const auto suffix = [&] { return block_of(reader.embeds.slice(1, 3)); };
  plain->append(prefix());
  disturbed->append(prefix());
  Block passing = block_of(reader.noise);
  passing.commit = false;
  passing.group = at::zeros({length}, at::TensorOptions(at::kLong).device(reader.embeds.device()));
  disturbed->append(passing);
  compare(disturbed->append(suffix()), plain->append(suffix()),
          "an uncommitted block leaves a trace in the session; keep nothing of it, its positions included");
}

/// A block with padding: rows of different length.
Block padded_block(const Reader& reader, const std::array<std::int64_t, rows>& lengths) {
  Block block = block_of(reader.embeds);
  const auto whole = at::TensorOptions(at::kLong);
  block.valid =
      (at::arange(length, whole).unsqueeze(0) < at::tensor(lengths, whole).unsqueeze(1)).to(reader.embeds.device());
  return block;
}

/// Each row goes on as it would without padding and alone.
void nobody_sees_padding(const Reader& reader) {
  constexpr std::array<std::int64_t, rows> lengths = {4, length, 2};
  const Tensor after = reader.noise.slice(1, 0, 2);
  const auto together = reader.begin();
  const Tensor hidden = together->append(padded_block(reader, lengths)), next = together->append(block_of(after));
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto one = [row](const Tensor& tensor) { return tensor.narrow(0, row, 1); };
    const std::int64_t own = lengths[static_cast<std::size_t>(row)];
    const auto alone = reader.begin(1);
    compare(one(hidden).slice(1, 0, own), alone->append(block_of(one(reader.embeds).slice(1, 0, own))),
            "padding changes the hidden states of valid tokens; mask it");
    compare(one(next), alone->append(block_of(one(after))),
            "after rows of different length, later tokens see padding or have the positions of other rows");
  }
}

void block_unaltered(const Subject& subject) {
  const Reader reader(subject);
  Block block = padded_block(reader, {4, length, 2});
  block.group = at::arange(length, at::TensorOptions(at::kLong).device(reader.embeds.device()));
  const Tensor valid = block.valid.clone(), group = block.group.clone();
  reader.begin()->append(block);
  if (block.embeds.equal(reader.embeds) && block.valid.equal(valid) && block.group.equal(group)) return;
  fail("`append` writes to the tensors of its block; work on a copy (operations whose name ends in _ write in place)");
}

void group_rule(const Reader& reader) {
  const std::vector<std::int64_t> groups = {0, 0, 2, 1, 1, 2, 3};
  Block block = block_of(reader.embeds);
  block.group = at::tensor(groups, at::kLong).to(reader.embeds.device());
  const Tensor before = reader.hidden(block);
  for (std::int64_t key = 0; key < length; ++key) {
    block.embeds = reader.embeds.clone();
    block.embeds.select(1, key).add_(reader.noise.select(1, key));
    const Tensor change = Reader::change(reader.hidden(block), before);
    for (std::int64_t query = 0; query < length; ++query) {
      const auto of_query = groups[static_cast<std::size_t>(query)], of_key = groups[static_cast<std::size_t>(key)];
      const double size = change[query].item<double>();
      if (of_query >= of_key ? size > 0 : size <= 1e-5) continue;
      fail("a query of group {} {} a key of group {}; it must see exactly the groups up to its own", of_query,
           of_query >= of_key ? "does not see" : "sees", of_key);
    }
  }
}

}  // namespace

Behaviour backbone_behaviour(const Subject& subject) {
  const BuildContext& context = subject.context();
  const Layout layout = context.wiring.features;
  const std::int64_t width = context.wiring.backbone_width;
  const std::uint64_t seed = subject.options().seed;
  const Tensor ids = words(rows, length, context, seed), tokens = image_tokens(layout, rows, seed + 1, context.device);
  Behaviour behaviour;
  Call text{.name = "append", .names = {"ids"}, .inputs = {ids}};
  text.outputs = {{"hidden states", {length, width}}, {"logits", {length, context.vocabulary}}};
  text.run = [](Component& component, const Tensors& inputs, Generator&) {
    const auto session = backbone(component).begin(inputs[0].size(0));
    const Tensor hidden = session->append(block_of(backbone(component).embed(inputs[0])));
    return Tensors{hidden, backbone(component).logits(hidden)};
  };
  behaviour.calls.push_back(text);
  const bool sees = layout.tokens > 0 && layout.codebook == 0;
  if (sees) {
    Call visual{.name = "embed_visual", .names = {"x"}, .inputs = {tokens}, .outputs = {{"embeds", {-1, width}}}};
    visual.run = [](Component& component, const Tensors& inputs, Generator&) {
      return Tensors{backbone(component).embed_visual({inputs[0], {}}).embeds};
    };
    behaviour.calls.push_back(visual);
  }
  // The next word, after an image.
  Call& loss = behaviour.loss;
  loss = {.name = "append with gradients", .names = {"ids", "x"}, .inputs = {ids, tokens}};
  loss.outputs = {{"the loss", {}}};
  loss.by_row = false;
  loss.run = [sees, experts = context.wiring.experts](Component& component, const Tensors& inputs, Generator&) {
    const auto session = backbone(component).begin(inputs[0].size(0));
    if (sees) session->append(backbone(component).embed_visual({inputs[1], {}}));
    Block text = block_of(backbone(component).embed(inputs[0]));
    // Every expert has its share of the tokens.
    if (experts > 1) text.expert = at::arange(length, at::TensorOptions(at::kLong)).remainder(experts);
    const Tensor hidden = session->append(text);
    const Tensor logits = backbone(component).logits(hidden).slice(1, 0, -1);
    return Tensors{at::cross_entropy_loss(logits.flatten(0, 1), inputs[0].slice(1, 1).flatten())};
  };
  behaviour.keeps = [&subject](Component&) { block_unaltered(subject); };
  behaviour.declares = [width](Component& component) {
    if (backbone(component).width() != width) fail("`width()` is not what `check` wrote to Wiring::backbone_width");
    if (backbone(component).begin(rows)->batch() != rows) fail("`batch()` of a session is not what `begin` was given");
  };
  return behaviour;
}

void check_backbone(Recorder& recorder, const Subject& subject) {
  recorder.run("cache", [&] { cache(subject); });
  recorder.run("causality", [&] {
    const Reader reader(subject);
    no_later_token(reader);
    no_trace_of_uncommitted(reader);
    nobody_sees_padding(reader);
    group_rule(reader);
  });
}

}  // namespace blip3u::conformance
