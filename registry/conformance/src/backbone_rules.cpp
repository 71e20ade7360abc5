// The rules of a backbone's session: who sees whom, where tokens stand, and whose weights they use.
#include <algorithm>
#include <vector>

#include "reading.h"

namespace blip3u::conformance {

namespace {

/// The largest change of each place [T] from a to b, relative to the values' size.
Tensor change_of(const Tensor& a, const Tensor& b) { return (a - b).abs().amax({0, 2}) / b.abs().max(); }

void no_later_token(const Reader& reader) {
  const Tensor before = reader.hidden(block_of(reader.embeds));
  for (std::int64_t changed = 0; changed < length; ++changed) {
    Tensor embeds = reader.embeds.clone();
    embeds.select(1, changed).add_(reader.noise.select(1, changed));
    const Tensor moved = change_of(reader.hidden(block_of(embeds)), before);
    if (changed > 0 && moved.slice(0, 0, changed).max().item<double>() > 1e-5) {
      fail("changing token {} changes earlier hidden states: the future leaks into the past; mask it", changed);
    }
    for (std::int64_t later = changed; later < length; ++later) {
      if (moved[later].item<double>() > 0) continue;
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
  passing.group = at::zeros({length}, reader.numbers());
  disturbed->append(passing);
  compare(disturbed->append(suffix()), plain->append(suffix()),
          "an uncommitted block leaves a trace in the session; keep nothing of it, its positions included");
}

/// Each row goes on as it would without padding and alone, also one that is nothing but padding.
void nobody_sees_padding(const Reader& reader, const std::array<std::int64_t, rows>& lengths) {
  const Tensor after = reader.noise.slice(1, 0, 2);
  const auto together = reader.begin();
  const Tensor hidden = together->append(reader.padded(lengths)), next = together->append(block_of(after));
  if (!hidden.isfinite().all().item<bool>()) {
    fail(
        "padding gets states with NaN or infinity, where they need only be finite; mask with a large number instead "
        "of infinity, for a row may be all padding");
  }
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t own = lengths[static_cast<std::size_t>(row)];
    const auto alone = reader.begin(1);
    if (own > 0) {
      compare(row_of(hidden, row).slice(1, 0, own),
              alone->append(block_of(row_of(reader.embeds, row).slice(1, 0, own))),
              "padding changes the hidden states of valid tokens; mask it");
    }
    compare(row_of(next, row), alone->append(block_of(row_of(after, row))),
            "after rows of different length, later tokens see padding or have the positions of other rows");
  }
}

void group_rule(const Reader& reader) {
  const std::vector<std::int64_t> groups = {0, 0, 2, 1, 1, 2, 3};
  Block block = block_of(reader.embeds);
  block.group = reader.tensor(groups);
  const Tensor before = reader.hidden(block);
  for (std::int64_t key = 0; key < length; ++key) {
    block.embeds = reader.embeds.clone();
    block.embeds.select(1, key).add_(reader.noise.select(1, key));
    const Tensor moved = change_of(reader.hidden(block), before);
    for (std::int64_t query = 0; query < length; ++query) {
      const auto of_query = groups[static_cast<std::size_t>(query)], of_key = groups[static_cast<std::size_t>(key)];
      const double size = moved[query].item<double>();
      if (of_query >= of_key ? size > 0 : size <= 1e-5) continue;
      fail("a query of group {} {} a key of group {}; it must see exactly the groups up to its own", of_query,
           of_query >= of_key ? "does not see" : "sees", of_key);
    }
  }
}

/// Tokens of a group, or an expert, that differs by row are those of the rows alone.
void by_row(const Reader& reader, Tensor Block::*member, const Tensor& values, const char* what) {
  const Tensor before = reader.embeds.slice(1, 0, 3), after = reader.noise.slice(1, 0, 2);
  const auto together = reader.begin();
  together->append(block_of(before));
  Block block = block_of(reader.embeds);
  block.*member = values;
  const Tensor hidden = together->append(block), next = together->append(block_of(after));
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto alone = reader.begin(1);
    alone->append(block_of(row_of(before, row)));
    block.embeds = row_of(reader.embeds, row).clone();
    block.*member = values[row];
    compare(row_of(hidden, row), alone->append(block), what);
    compare(row_of(next, row), alone->append(block_of(row_of(after, row))), what);
  }
}

// Places -------------------------------------------------------------------------------------------------------------

/// One more than the largest, over all axes, or 0: [B].
Tensor next_after(const Tensor& places) { return (places.flatten(1).amax(1) + 1).clamp_min(0); }

/// Places [B,T] or [B,T,A] from here on.
Tensor shifted(const Tensor& places, const Tensor& by) {
  return places + by.view(places.dim() == 3 ? at::IntArrayRef({-1, 1, 1}) : at::IntArrayRef({-1, 1}));
}

/// Tokens at `first`, and the rest at default places behind them, are the same in one block whose places are all named.
void continues_behind(const Reader& reader, const Tensor& first, const char* what) {
  const std::int64_t count = first.size(1);
  Tensor rest = reader.range(length - count).expand({rows, -1});
  if (first.dim() == 3) rest = rest.unsqueeze(-1).expand({-1, -1, first.size(2)});
  Block whole = block_of(reader.embeds);
  whole.places = at::cat({first, shifted(rest, next_after(first))}, 1);
  const auto session = reader.begin();
  Block block = block_of(reader.embeds.slice(1, 0, count));
  block.places = first;
  const Tensor before = session->append(block), after = session->append(block_of(reader.embeds.slice(1, count)));
  compare(at::cat({before, after}, 1), reader.hidden(whole), what);
}

/// Whoever stands where it stood has the same states, in whatever order the tokens come.
void in_any_order(const Reader& reader) {
  Block block = block_of(reader.embeds);
  block.group = at::zeros({length}, reader.numbers());  // all see each other
  const Tensor expected = reader.hidden(block);
  const std::int64_t orders[] = {3, 0, 6, 1, 5, 2, 4, 6, 5, 4, 3, 2, 1, 0, 1, 2, 3, 4, 5, 6, 0};
  block.places = reader.tensor(orders).view({rows, length});
  const auto in_order = [&](const Tensor& tokens) {
    return tokens.gather(1, block.places.unsqueeze(-1).expand(tokens.sizes()));
  };
  block.embeds = in_order(reader.embeds);
  compare(reader.hidden(block), in_order(expected),
          "tokens that come in another order, with their places, get other states; a token stands where Block::places "
          "says");
}

/// Places count from the session's next, which does not go back.
void relative_to_next(const Reader& reader) {
  const Tensor first = reader.embeds.slice(1, 0, 4), second = reader.embeds.slice(1, 4, 6);
  const auto plain = reader.begin(), explicitly = reader.begin(), back = reader.begin();
  for (const auto* const session : {&plain, &explicitly, &back}) (*session)->append(block_of(first));
  Block block = block_of(second);
  block.places = reader.range(2).expand({rows, -1});
  compare(explicitly->append(block), plain->append(block_of(second)),
          "places 0, 1, 2, ... give other states than none; they count from the session's next position");
  block.places = at::full({rows, 2}, -3, reader.numbers());
  back->append(block);
  const Tensor last = reader.embeds.slice(1, 6);
  Block whole = block_of(reader.embeds);
  whole.places = reader.tensor({0, 1, 2, 3, 1, 1, 4}).expand({rows, -1});
  compare(back->append(block_of(last)), reader.hidden(whole).slice(1, 6),
          "a block that stands before the session's next position moves it back; it must stay");
}

/// Padding's own places do not matter.
void padding_stands_nowhere(const Reader& reader) {
  const auto session = reader.begin(), other = reader.begin();
  Block block = reader.padded({4, length, 0});
  const Tensor places = reader.range(length).expand({rows, -1});
  block.places = places;
  session->append(block);
  block.places = at::where(block.valid, places, 40);
  block.embeds = reader.embeds.clone();
  other->append(block);
  const Tensor after = reader.noise.slice(1, 0, 2);
  compare(other->append(block_of(after)), session->append(block_of(after)),
          "the places of padding move the session's next position; count those of valid tokens alone");
}

/// How many axes it takes besides one; 0: none.
std::int64_t several_axes(const Reader& reader) {
  for (const std::int64_t axes : {2, 3}) {
    Block block = block_of(reader.embeds);
    block.places = reader.range(length).view({1, length, 1}).expand({rows, -1, axes});
    Tensor hidden;
    if (refused([&] { hidden = reader.hidden(block); })) continue;
    compare(hidden, reader.hidden(block_of(reader.embeds)),
            "places that are 0, 1, 2, ... on every axis give other states than none");
    return axes;
  }
  return 0;
}

}  // namespace

void block_unaltered(const Subject& subject) {
  const Reader reader(subject);
  Block block = reader.padded({4, length, 2});
  block.group = reader.range(length);
  const Tensor valid = block.valid.clone(), group = block.group.clone();
  reader.begin()->append(block);
  if (block.embeds.equal(reader.embeds) && block.valid.equal(valid) && block.group.equal(group)) return;
  fail("`append` writes to the tensors of its block; work on a copy (operations whose name ends in _ write in place)");
}

void causality(const Subject& subject) {
  const Reader reader(subject);
  no_later_token(reader);
  no_trace_of_uncommitted(reader);
  nobody_sees_padding(reader, {4, length, 2});
  nobody_sees_padding(reader, {4, length, 0});
  group_rule(reader);
  const std::int64_t groups[] = {0, 0, 2, 1, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0, 0};
  by_row(reader, &Block::group, reader.tensor(groups).view({rows, length}),
         "groups [B,T] of several rows give other states than each row's alone; let each row have its own");
}

std::string places(const Subject& subject) {
  const Reader reader(subject);
  relative_to_next(reader);
  in_any_order(reader);
  padding_stands_nowhere(reader);
  const char* const what =
      "tokens behind a block with places do not stand behind its largest; the session's next position is one more";
  continues_behind(reader, at::zeros({rows, 4}, reader.numbers()), what);
  continues_behind(reader, reader.tensor({0, 0, 9, 2}).expand({rows, -1}), what);
  const std::int64_t uneven[] = {0, 1, 2, 3, 0, 0, 0, 0, 5, 7, 6, 1};
  continues_behind(reader, reader.tensor(uneven).view({rows, 4}), what);
  const std::int64_t axes = several_axes(reader);
  if (axes == 0) return "of one axis";
  const Tensor grid = reader.tensor({0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 2}).view({4, 3}).slice(1, 3 - axes);
  continues_behind(reader, grid.expand({rows, -1, -1}), what);
  return fmt::format("of {} axes", axes);
}

std::string experts(const Subject& subject) {
  const std::int64_t count = std::max<std::int64_t>(1, subject.wiring().experts);
  const Reader reader(subject);
  // On the CPU, where it may be.
  const Tensor own = at::arange(rows * length, at::kLong).view({rows, length}).remainder(count);
  by_row(reader, &Block::expert, own,
         "experts [B,T] of several rows give other states than each row's alone; let each token have its own");
  Block block = block_of(reader.embeds);
  const Tensor first = reader.hidden(block);
  block.expert = at::zeros({length}, at::kLong);
  compare(reader.hidden(block), first, "expert 0 gives other states than none; undefined means 0");
  if (count == 1) return "one set of weights";
  for (std::int64_t expert = 1; expert < count; ++expert) {
    block.expert = at::full({length}, expert, at::kLong);
    if (difference(reader.hidden(block), first) > 1e-6) continue;
    fail("tokens of expert {} have the states of expert 0; use the weights that Block::expert names", expert);
  }
  block.expert = at::full({length}, count, at::kLong);
  if (!refused([&] { reader.hidden(block); })) {
    fail("a block of expert {} is taken, where there are {}; refuse it with blip3u::Error", count, count);
  }
  block.expert = own;
  const auto pieces = reader.begin();
  Tensors parts;
  for (std::int64_t begin = 0; begin < length; begin += 3) {
    Block part = block_of(reader.embeds.slice(1, begin, std::min(begin + 3, length)));
    part.expert = own.slice(1, begin, std::min(begin + 3, length));
    parts.push_back(pieces->append(part));
  }
  compare(at::cat(parts, 1), reader.hidden(block), "tokens of several experts get other states in pieces than in one");
  return fmt::format("{} sets of weights", count);
}

std::string pictures(const Subject& subject) {
  const Reader reader(subject);
  const Layout& layout = subject.wiring().features;
  const at::Device device = subject.context().device;
  const Tensor tokens = image_tokens(layout, rows, 71, device), other = image_tokens(layout, rows, 72, device);
  const Tensor after = reader.embeds.slice(1, 0, 3);
  const auto read_behind = [&](const Visual& visual) {
    const auto session = reader.begin(visual.x.size(0));
    session->append(reader.backbone().embed_visual(visual));
    return session->append(block_of(after.slice(0, 0, visual.x.size(0))));
  };
  const Tensor behind = read_behind({.x = tokens.clone(), .codes = {}});
  if (difference(read_behind({.x = other, .codes = {}}), behind) <= 1e-6) {
    fail("text behind a picture does not depend on the picture; let `embed_visual` show it");
  }
  Visual shorter{.x = tokens.clone(), .codes = {}};
  shorter.valid = at::ones({rows, layout.tokens}, at::TensorOptions(device).dtype(at::kBool));
  shorter.valid[1].slice(0, layout.tokens / 2).fill_(false);
  Tensor padded;
  if (refused([&] { padded = read_behind(shorter); })) return "it takes no pictures of unlike length without grids";
  compare(row_of(padded, 0), row_of(behind, 0), "a picture is read otherwise where another of its batch is shorter");
  shorter.x = at::where(shorter.valid.unsqueeze(-1), tokens, other);
  compare(read_behind(shorter), padded,
          "text behind a picture depends on the picture's padding; `embed_visual` must hand Visual::valid on");
  return "also of unlike length";
}

}  // namespace blip3u::conformance
