// Codes, and what denoisers can do besides: streams, pictures that stay, and a condition of their own for nothing.
#include <vector>

#include "denoising.h"

namespace blip3u::conformance {

namespace {

constexpr double rounding = 1e-4;

template <class Mixin>
Mixin& mixin(const Painted& painted) {
  return dynamic_cast<Mixin&>(painted.denoiser());
}

/// Teacher-forced: no group sees its own codes or later ones.
void nothing_ahead(const Painted& painted, const Condition& condition) {
  const Layout& layout = painted.painter.layout();
  const Tensor before = painted.predict(painted.tokens, condition);
  std::int64_t first = 0;
  for (const std::int64_t count : layout.groups) {
    Tensor changed = painted.tokens.clone();
    changed.slice(1, first).add_(1).remainder_(layout.codebook);
    const Tensor moved = painted.predict(changed, condition);
    const bool same = difference(moved.slice(1, 0, first), before.slice(1, 0, first)) <= rounding &&
                      difference(moved.slice(1, first, first + count).select(2, 0),
                                 before.slice(1, first, first + count).select(2, 0)) <= rounding;
    if (!same) {
      fail(
          "changing the codes from place {} on changes the logits of their first level or of places before; each "
          "place may see the groups before its own alone",
          first);
    }
    first += count;
  }
}

/// A masked place is unlike every code, and sees those that are known.
std::string masked(const Painted& painted, const Condition& condition) {
  const Layout& layout = painted.painter.layout();
  const Tensor nothing = at::full_like(painted.tokens, -1);
  Tensor blank;
  if (refused([&] { blank = painted.predict(nothing, condition); })) return "it takes no masked codes";
  if (!all_finite(blank)) fail("the logits have NaN or infinity where all codes are masked (-1)");
  const auto with_first = [&](const Tensor& codes, std::int64_t code) {
    Tensor changed = codes.clone();
    changed.select(1, 0).fill_(code);
    return painted.predict(changed, condition);
  };
  if (difference(with_first(nothing, 0).slice(1, 1), with_first(nothing, 1).slice(1, 1)) <= 1e-6) {
    fail("the logits of masked places do not depend on the code that is known; let them see it");
  }
  const Tensor hidden = with_first(painted.tokens, -1);
  for (std::int64_t code = 0; code < layout.codebook; ++code) {
    if (difference(with_first(painted.tokens, code), hidden) > 1e-6) continue;
    fail("a masked place (-1) is read as code {}; give masks an entry of their own", code);
  }
  return "with masked codes";
}

}  // namespace

std::string codes_before(const Subject& subject) {
  const Painted painted(subject);
  const auto session = read(painted.context);
  const auto condition = painted.prepare(*session);
  if (dynamic_cast<Streams*>(&painted.denoiser()) == nullptr) return masked(painted, *condition);
  nothing_ahead(painted, *condition);
  return "teacher-forced";
}

std::string streams(const Subject& subject) {
  const Painted painted(subject);
  auto& own = mixin<Streams>(painted);
  const Layout& layout = painted.painter.layout();
  const bool codes = painted.painter.codes();
  const auto session = read(painted.context), untouched = read(painted.context);
  const auto condition = painted.prepare(*session);
  const Tensor whole = codes ? painted.predict(painted.tokens, *condition) : Tensor();
  const auto stream = own.stream(*condition), other = own.stream(*condition);
  const auto groups = layout.groups.empty() ? std::vector<std::int64_t>{layout.tokens} : layout.groups;
  const std::int64_t levels = codes ? layout.depth : 1, width = codes ? layout.codebook : layout.width;
  std::int64_t first = 0;
  Tensor last;
  for (const std::int64_t count : groups) {
    for (std::int64_t level = 0; level < levels; ++level) {
      if (stream->done()) fail("`done()` is true before place {}, level {}, has been pushed", first, level);
      const Tensor scores = stream->scores();
      if (scores.sizes() != at::IntArrayRef({rows, count, width}) || scores.scalar_type() != at::kFloat) {
        fail("the scores of {} places are not [{},{},{}] float32; give those of the group's next level", count, rows,
             count, width);
      }
      if (!all_finite(scores)) fail("the scores of place {}, level {}, have NaN or infinity", first, level);
      Tensor chosen = painted.tokens.slice(1, first, first + count);
      if (codes) chosen = chosen.select(2, level);
      if (codes && difference(scores, whole.slice(1, first, first + count).select(2, level)) > rounding) {
        fail(
            "the scores of place {}, level {}, are not the logits of the whole pass (`predict` of the codes that were "
            "pushed); feed the stream with what was chosen",
            first, level);
      }
      other->scores();
      other->push(codes ? chosen.add(1).remainder(layout.codebook) : chosen.neg());
      stream->push(chosen.clone());
      last = scores;
    }
    first += count;
  }
  if (!stream->done()) fail("`done()` is false when every level of every group has been pushed");
  const auto again = own.stream(*condition);
  const Tensor start = again->scores();
  const auto fresh = read(painted.context);
  const auto alike = painted.prepare(*fresh);
  if (difference(own.stream(*alike)->scores(), start) > rounding) {
    fail("a stream begins otherwise when others of its condition have run; let each have its own fork of the session");
  }
  if (difference(session->append({.embeds = painted.context}), untouched->append({.embeds = painted.context})) > 1e-6) {
    fail("a stream leaves a trace in the session; let it append to a fork");
  }
  return fmt::format("{} groups of {} level(s)", groups.size(), levels);
}

void keeps(const Subject& subject) {
  const Painted painted(subject);
  auto& own = mixin<Keeps>(painted);
  const Layout& layout = painted.painter.layout();
  const auto made = [&](const Tensor& tokens) { return as_visual(layout, tokens.clone()); };
  const Tensor after = context_embeds(subject, 51);
  const Tensor other = image_tokens(layout, rows, 52, after.device());
  const auto goes_on = [&](const Tensor& tokens, const Tensor& context, const Tensor& then) {
    const auto session = read(context);
    const std::int64_t before = session->length();
    const Tensor states = own.keep(*session, made(tokens));
    if (states.dim() != 3 || states.size(0) != session->batch() || states.size(1) == 0) {
      fail("`keep` does not return the states [rows,tokens,width] of what it commits");
    }
    if (session->length() <= before) fail("`keep` commits nothing; append the picture with Block::commit");
    return session->append({.embeds = then});
  };
  const Tensor kept = goes_on(painted.tokens, painted.context, after);
  if (!all_finite(kept)) fail("what follows a kept picture has states with NaN or infinity");
  if (difference(goes_on(other, painted.context, after), kept) <= 1e-6) {
    fail("what follows a kept picture does not depend on the picture; commit what was made");
  }
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto one = [row](const Tensor& tensor) { return tensor.narrow(0, row, 1); };
    if (difference(goes_on(one(painted.tokens), one(painted.context), one(after)), one(kept)) <= rounding) continue;
    fail("pictures of {} rows are kept otherwise than that of row {} alone; let no row see another", rows, row);
  }
}

void nulls(const Subject& subject) {
  const Painted painted(subject);
  auto& own = mixin<Nulls>(painted);
  const Tensor other_context = context_embeds(subject, 61);
  const auto session = read(painted.context), other_session = read(other_context);
  const auto whole = painted.prepare(*session), other = painted.prepare(*other_session);
  const auto options = at::TensorOptions(painted.context.device()).dtype(at::kBool);
  const auto under = [&](const Condition& condition, const std::vector<std::int64_t>& empty) {
    Tensor flags = at::zeros({rows}, options);
    for (const std::int64_t row : empty) flags[row].fill_(true);
    return painted.predict(painted.tokens, *own.null(condition, flags));
  };
  const auto row = [](const Tensor& tensor, std::int64_t index) { return tensor.narrow(0, index, 1); };
  const Tensor before = painted.predict(painted.tokens, *whole);
  if (difference(under(*whole, {}), before) > rounding) {
    fail("a condition of which no row stands for nothing predicts otherwise than the one that it is like");
  }
  const Tensor some = under(*whole, {0, 2}), elsewhere = under(*other, {0, 2});
  if (difference(row(some, 1), row(before, 1)) > rounding) {
    fail("rows that do not stand for nothing predict otherwise where others do; change the rows alone that are named");
  }
  for (const std::int64_t empty : {0, 2}) {
    if (difference(row(some, empty), row(before, empty)) <= 1e-6) {
      fail("rows that stand for nothing predict as they did with their context; replace it");
    }
    if (difference(row(elsewhere, empty), row(some, empty)) > rounding) {
      fail("rows that stand for nothing predict otherwise in another context; nothing of it may be left");
    }
  }
  if (difference(painted.predict(painted.tokens, *whole), before) > 1e-6) {
    fail("`null` changes the condition that it is given; make another");
  }
}

}  // namespace blip3u::conformance
