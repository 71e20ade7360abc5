#include "pipeline/links.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <ATen/ATen.h>

#include "blip3u/random.h"
#include "model/sources.h"

namespace blip3u {

namespace {

/// Rows that repeat those of one context for `contexts` of them.
std::vector<std::int64_t> repeated(std::int64_t rows, std::int64_t contexts) {
  std::vector<std::int64_t> result;
  for (std::int64_t i = 0; i < contexts * rows; ++i) result.push_back(i % rows);
  return result;
}

/// The rows of `own` contexts among those of `all`.
std::vector<std::int64_t> rows_of(const std::vector<Context>& own, const std::vector<Context>& all, std::int64_t rows) {
  std::vector<std::int64_t> result;
  for (const Context context : own) {
    const auto place = std::ranges::find(all, context) - all.begin();
    for (std::int64_t row = 0; row < rows; ++row) result.push_back(place * rows + row);
  }
  return result;
}

/// One link's picture of each seed. Given are the rows of the link's contexts.
Visual make(const Link& link, Given given, const std::vector<std::uint64_t>& seeds, const Watch& watch) {
  const std::vector<Context> contexts = link.contexts();
  const auto rows = std::ssize(seeds), count = std::ssize(contexts);
  const std::vector<double> times = link.solver->times();
  given.times = times;
  Tensor nothing = at::zeros({count, rows}, at::kBool);
  for (std::int64_t i = 0; i < count; ++i) nothing[i].fill_(contexts[static_cast<std::size_t>(i)] == Context::nothing);
  const auto condition = link.prepare(given, nothing.flatten());
  Generator noise(seeds);
  const Layout layout = link.target->layout();
  Visual made = link.solver
                    ->sample({.denoiser = *link.denoiser,
                              .layout = layout,
                              .condition = *condition,
                              .noise = noise,
                              .rows = rows,
                              .contexts = count,
                              .guidance = link.guidance,
                              .watch = watch})
                    .visual;
  made.source = link.source;
  return link.unscaled(std::move(made));
}

/// The seeds of link k, of which the first has those of the pictures.
std::vector<std::uint64_t> derived(std::vector<std::uint64_t> seeds, std::size_t k) {
  for (std::uint64_t& seed : seeds) seed = k == 0 ? seed : derive_seed(derive_seed(seed, "link"), k);
  return seeds;
}

/// A decoder can show only what the last link makes.
Watch without_guesses(const Watch& watch) {
  if (!watch) return watch;
  return [&watch](const Step& step) { return watch({.done = step.done, .total = step.total}); };
}

}  // namespace

std::vector<Context> Link::contexts() const {
  return guidance ? guidance->contexts() : std::vector<Context>{Context::whole};
}

std::unique_ptr<Condition> Link::prepare(const Given& given, const Tensor& nothing) const {
  auto condition = denoiser->prepare(given);
  auto* const nulls = dynamic_cast<Nulls*>(denoiser);
  return nulls ? nulls->null(*condition, nothing.to(scale.mean.device())) : std::move(condition);
}

Visual Link::unscaled(Visual made) const {
  if (!made.codes.defined()) made.x = made.x * scale.deviation + scale.mean;
  return made;
}

Visual Link::scaled(Visual visual) const {
  if (!visual.codes.defined()) visual.x = (visual.x - scale.mean) / scale.deviation;
  return visual;
}

std::vector<Context> contexts_of(std::span<const Link> links) {
  std::vector<Context> all;
  for (const Link& link : links) {
    for (const Context context : link.contexts()) {
      if (std::ranges::find(all, context) == all.end()) all.push_back(context);
    }
  }
  return all;
}

std::vector<Visual> paint(std::span<const Link> links, Session& session, std::span<const std::vector<Visual>> sources,
                          const std::vector<std::uint64_t>& seeds, const Watch& watch) {
  const auto rows = std::ssize(seeds);
  const std::vector<Context> all = contexts_of(links);
  std::unique_ptr<Session> kept;  // with what the links before this one committed
  std::vector<Visual> made;
  Tensor hidden;
  for (std::size_t k = 0; k < links.size(); ++k) {
    const bool last = k + 1 == links.size();
    const std::vector<std::int64_t> own = rows_of(links[k].contexts(), all, rows);
    const bool alone = own == repeated(std::ssize(all) * rows, 1);
    Session& past = kept ? *kept : session;
    const auto part = alone ? nullptr : past.rows(at::tensor(own, at::kLong));
    Given given{.context = part ? *part : past};
    Visual previous;
    if (k > 0) {
      previous = select_pictures(made.back(), repeated(rows, std::ssize(own) / rows));
      given.previous = &previous;
      if (hidden.defined()) given.hidden = hidden.index_select(0, at::tensor(own, at::kLong).to(hidden.device()));
    }
    std::vector<Visual> shown(sources[k].begin(), sources[k].end());
    if (!alone) {
      for (Visual& source : shown) source = select_pictures(source, own);
    }
    given.sources = shown;
    made.push_back(make(links[k], given, derived(seeds, k), last ? watch : without_guesses(watch)));
    hidden = Tensor();
    auto* const keeps = dynamic_cast<Keeps*>(links[k].denoiser);
    if (last || keeps == nullptr) continue;
    if (!kept) kept = session.fork();
    hidden = keeps->keep(*kept, select_pictures(made.back(), repeated(rows, std::ssize(all))));
  }
  return made;
}

}  // namespace blip3u
