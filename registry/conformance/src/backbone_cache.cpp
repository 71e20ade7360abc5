// The cache of a backbone's session: pieces, forks, chosen rows, joined sessions, and gradients through all of them.
#include <algorithm>
#include <functional>
#include <vector>

#include "reading.h"

namespace blip3u::conformance {

namespace {

/// Two that share a past go on in turns, token by token and with guesses in between.
void in_turns(const Reader& reader) {
  const auto original = reader.begin();
  original->append(block_of(reader.embeds.slice(1, 0, 3)));
  const auto fork = original->fork();
  const std::array<Tensor, 2> texts = {reader.embeds.slice(1, 3), reader.noise.slice(1, 0, 4)};
  std::array<Tensors, 2> found;
  for (std::int64_t token = 0; token < 4; ++token) {
    for (const std::size_t one : {0, 1}) {
      Session& session = one == 0 ? *original : *fork;
      Block guess = block_of(reader.noise.slice(1, 4, 6));
      guess.commit = false;
      session.append(guess);
      found[one].push_back(session.append(block_of(texts[one].slice(1, token, token + 1))));
    }
  }
  for (const std::size_t one : {0, 1}) {
    const Tensor whole = at::cat({reader.embeds.slice(1, 0, 3), texts[one]}, 1);
    compare(at::cat(found[one], 1), reader.hidden(block_of(whole)).slice(1, 3),
            "a session and its fork that go on in turns disturb each other; what both see must not be written to");
  }
}

void fork_survives(const Reader& reader) {
  auto original = reader.begin();
  original->append(block_of(reader.embeds.slice(1, 0, 3)));
  const auto fork = original->fork();
  original.reset();
  compare(fork->append(block_of(reader.embeds.slice(1, 3))), reader.hidden(block_of(reader.embeds)).slice(1, 3),
          "a fork whose origin is gone does not continue from its past; let both own it");
}

void expect_length(const Session& session, std::int64_t expected, const char* when) {
  if (session.length() == expected) return;
  fail("`length()` is {} {}, where it must be {}: the columns of committed tokens, padding included", session.length(),
       when, expected);
}

void measures(const Reader& reader) {
  const auto session = reader.begin();
  expect_length(*session, 0, "of an empty session");
  session->append(block_of(reader.embeds.slice(1, 0, 3)));
  expect_length(*session, 3, "after 3 tokens");
  Block guess = block_of(reader.noise);
  guess.commit = false;
  session->append(guess);
  expect_length(*session, 3, "after 3 tokens and a block that was not committed");
  session->append(reader.padded({4, length, 2}));
  expect_length(*session, 3 + length, "after two blocks");
  expect_length(*session->fork(), 3 + length, "of a fork of two blocks");
  const std::size_t few = session->bytes();
  if (few == 0) fail("`bytes()` is 0 after two blocks; count the memory of keys and values");
  session->append(block_of(reader.text(100, 9)));
  if (session->bytes() > few) return;
  fail("`bytes()` is {} after two blocks and {} after 100 more tokens; count the memory of keys and values", few,
       session->bytes());
}

/// What does not fit is refused and leaves the session as it was.
void refusals(const Reader& reader) {
  const Tensor first = reader.embeds.slice(1, 0, 3), rest = reader.embeds.slice(1, 3);
  const std::pair<const char*, Tensor> misfits[] = {
      {"of another width", at::cat({rest, rest.slice(2, 0, 1)}, 2)},
      {"of fewer rows", rest.slice(0, 0, rows - 1)},
  };
  for (const auto& [how, bad] : misfits) {
    const auto session = reader.begin();
    session->append(block_of(first));
    if (!refused([&] { session->append(block_of(bad)); }))
      fail("a block {} is taken; refuse it with blip3u::Error", how);
    expect_length(*session, 3, "after 3 tokens and a block that was refused");
    compare(session->append(block_of(rest)), reader.hidden(block_of(reader.embeds)).slice(1, 3),
            "a block that was refused leaves a trace; check it before anything changes");
  }
}

/// Rows of different length that are chosen, repeated and reordered.
void chosen_rows(const Reader& reader) {
  const Tensor index = reader.tensor({2, 0, 0, 1}), after = reader.noise.slice(1, 0, 3);
  const auto choose = [&](const Tensor& tensor) { return tensor.index_select(0, index); };
  const Block past = reader.padded({4, length, 2});
  const auto history = [&] {
    auto session = reader.begin();
    session->append(past);
    return session;
  };
  const auto expected = reader.begin(4);
  Block of_chosen = block_of(choose(past.embeds));
  of_chosen.valid = choose(past.valid);
  expected->append(of_chosen);
  auto original = history();
  const auto chosen = original->rows(index), survivor = original->rows(index);
  if (chosen->batch() != 4) fail("`rows` of an index of 4 gives a session of {} rows", chosen->batch());
  expect_length(*chosen, length, "of chosen rows");
  const Tensor wanted = expected->append(block_of(choose(after)));
  compare(chosen->append(block_of(choose(after))), wanted,
          "chosen rows do not go on as those rows do; select, repeat and reorder all that a row has, positions too");
  compare(original->append(block_of(after)), history()->append(block_of(after)),
          "appending to chosen rows changes the session that they were chosen from; copy what append writes to");
  original.reset();
  compare(survivor->append(block_of(choose(after))), wanted,
          "chosen rows do not go on when their session has gone on and is gone; let them own their past");
  if (reader.begin()->rows(index)->append(block_of(choose(after))).size(0) == 4) return;
  fail("rows chosen from an empty session are not as many as the index has");
}

/// Sessions of different length, an empty one too, become one.
void joined(const Reader& reader, Joins& joins) {
  const Tensor after = reader.text(3, 8);
  const Block padded = reader.padded({4, length, 2});
  const auto histories = [&] {
    std::vector<std::unique_ptr<Session>> sessions;
    for (const std::int64_t batch : {rows, std::int64_t{1}, std::int64_t{1}}) sessions.push_back(reader.begin(batch));
    sessions[0]->append(padded);
    sessions[1]->append(block_of(row_of(reader.noise, 1).slice(1, 0, 2)));
    return sessions;
  };
  const auto parts = histories(), untouched = histories();
  const Tensor all = at::cat({after, row_of(after, 1), row_of(after, 2)});
  std::vector<Session*> views;
  for (const auto& part : parts) views.push_back(part.get());
  const auto whole = joins.join(views);
  if (whole->batch() != rows + 2) fail("`join` of {} rows gives a session of {}", rows + 2, whole->batch());
  expect_length(*whole, length, "of joined sessions of which the longest has 7 columns");
  const Tensor found =
      at::cat({whole->append(block_of(all.slice(1, 0, 2))), whole->append(block_of(all.slice(1, 2)))}, 1);
  std::int64_t first = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::int64_t batch = untouched[i]->batch();
    const Tensor own = all.narrow(0, first, batch);
    const Tensor expected = untouched[i]->append(block_of(own));
    compare(found.narrow(0, first, batch), expected,
            "rows of joined sessions do not go on as they would alone; pad the shorter, and keep their own positions");
    compare(parts[i]->append(block_of(own)), expected,
            "appending to the joined session changes those it was made of; copy what append writes to");
    first += batch;
  }
}

/// The gradient of the states behind a cached prefix, by all embeds.
Tensor gradient_behind(const Reader& reader, const std::function<Tensor(const Tensor& embeds)>& read) {
  const at::AutoGradMode with_gradients(true);
  Tensor embeds = reader.embeds.clone().set_requires_grad(true);
  const Tensor hidden = read(embeds.clone());
  if (!hidden.requires_grad()) return at::zeros_like(embeds);
  (hidden * reader.noise.slice(1, 4)).sum().backward();
  return embeds.grad().defined() ? embeds.grad() : at::zeros_like(embeds);
}

}  // namespace

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

/// More tokens than a small window or a first reserve of memory holds.
void long_context(const Subject& subject) {
  const Reader reader(subject);
  constexpr std::int64_t many = 100;
  const Tensor text = reader.text(many, 7), whole = reader.hidden(block_of(text));
  if (!whole.isfinite().all().item<bool>()) fail("a block of {} tokens gets states with NaN or infinity", many);
  const auto session = reader.begin();
  Tensors parts;
  for (std::int64_t first = 0; first < many;) {
    const std::int64_t count = first < 70 ? 35 : first < 90 ? 10 : 1;
    parts.push_back(session->append(block_of(text.slice(1, first, first + count))));
    first += count;
  }
  compare(at::cat(parts, 1), whole, "the states of 100 tokens in pieces are not those of one block");
  const Tensor first_changed = at::cat({reader.noise.slice(1, 0, 1), text.slice(1, 1)}, 1);
  if (difference(reader.hidden(block_of(first_changed)).slice(1, -1), whole.slice(1, -1)) > 0) return;
  fail("the last of {} tokens does not see the first; all that is committed must be seen", many);
}

void cache_gradients(const Subject& subject) {
  const Reader reader(subject);
  reader.backbone().set_training(true);
  const auto prefix = [&](const Tensor& embeds) {
    auto session = reader.begin();
    session->append({.embeds = embeds.slice(1, 0, 4)});
    return session;
  };
  const Tensor expected = gradient_behind(
      reader, [&](const Tensor& embeds) { return reader.begin()->append({.embeds = embeds}).slice(1, 4); });
  const std::pair<const char*, std::function<Tensor(const Tensor&)>> ways[] = {
      {"the cache", [&](const Tensor& embeds) { return prefix(embeds)->append({.embeds = embeds.slice(1, 4)}); }},
      {"a fork", [&](const Tensor& embeds) { return prefix(embeds)->fork()->append({.embeds = embeds.slice(1, 4)}); }},
      {"chosen rows",
       [&](const Tensor& embeds) {
         return prefix(embeds)->rows(reader.range(rows))->append({.embeds = embeds.slice(1, 4)});
       }},
  };
  for (const auto& [what, read] : ways) {
    const double distance = difference(gradient_behind(reader, read), expected);
    if (distance <= 1e-3) continue;
    fail(
        "the gradient that comes back through {} is not that of one block (they differ by {:.2g}); keep keys and "
        "values undetached while gradients are enabled",
        what, distance);
  }
  const at::AutoGradMode with_gradients(true);
  Block padded = reader.padded({4, length, 0});
  Tensor embeds = reader.embeds.clone().set_requires_grad(true);
  padded.embeds = embeds;
  const Tensor hidden = reader.begin()->append(padded);
  at::where(padded.valid.unsqueeze(-1), hidden, 0).sum().backward();
  if (embeds.grad().defined() && embeds.grad().isfinite().all().item<bool>()) return;
  fail("where a row is all padding, gradients have NaN or infinity; mask with a large number instead of infinity");
}

std::string sessions(const Subject& subject) {
  const Reader reader(subject);
  measures(reader);
  refusals(reader);
  in_turns(reader);
  fork_survives(reader);
  chosen_rows(reader);
  auto* const joins = dynamic_cast<Joins*>(&reader.backbone());
  if (joins == nullptr) return "it joins no sessions (mixin Joins)";
  joined(reader, *joins);
  return "with those that are joined";
}

}  // namespace blip3u::conformance
