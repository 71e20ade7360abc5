#include "denoising.h"

namespace blip3u::conformance {

Tensor context_embeds(const Subject& subject, std::uint64_t seed) {
  constexpr std::int64_t length = 5;
  return normal({length, subject.wiring().backbone_width}, rows, seed, subject.context().device);
}

Painter::Painter(const Subject& subject)
    : layout_(subject.wiring().features),
      previous_(subject.wiring().previous),
      device_(subject.context().device),
      seed_(subject.options().seed) {
  const at::NoGradGuard no_gradient;
  try {
    const auto component = subject.make_any();
    const auto session = read(context_embeds(subject, seed_));
    const auto prepares = [&] { prepare(denoiser(*component), *session); };
    if (!refused(prepares)) return;
    needs_source_ = true;
    needs_source_ = !refused(prepares);
  } catch (...) {  // a check will meet it again and report it
  }
}

std::unique_ptr<Condition> Painter::prepare(Denoiser& denoiser, Session& session, std::span<const double> times) const {
  // The same for all rows, so that they are those of each row alone.
  const auto picture = [&](const Layout& layout) {
    const Tensor one = image_tokens(layout, 1, seed_ + 41, device_);
    return as_visual(layout, one.expand({session.batch(), -1, -1}).clone());
  };
  const Visual previous = previous_.tokens > 0 ? picture(previous_) : Visual();
  std::vector<Visual> sources;
  if (needs_source_) sources.push_back(picture(layout_));
  return denoiser.prepare(
      {.context = session, .previous = previous_.tokens > 0 ? &previous : nullptr, .sources = sources, .times = times});
}

Tensor Painter::predict(Denoiser& denoiser, const Tensor& tokens, const Tensor& time, const Tensor& context) const {
  const auto session = read(context);
  return predict(denoiser, tokens, time, *prepare(denoiser, *session));
}

Painted::Painted(const Subject& subject)
    : painter(subject),
      context(context_embeds(subject, subject.options().seed + 1)),
      tokens(image_tokens(painter.layout(), rows, subject.options().seed, subject.context().device)),
      time(painter.codes() ? at::zeros({rows}, context.options())
                           : Generator::for_rows(subject.options().seed + 2, 0, rows).uniform({}, context.device())),
      component_(subject.make_disturbed()) {}

/// Pictures of the context and of the link before, of which one row has none.
std::string given_pictures(const Subject& subject) {
  const Painted painted(subject);
  const Layout& layout = painted.painter.layout();
  const at::Device device = subject.context().device;
  const bool second = subject.wiring().previous.tokens > 0;
  const auto predicted = [&](std::uint64_t absent) {
    const auto with_gap = [&](const Layout& of) {
      Tensor tokens = image_tokens(of, rows, 31, device);
      tokens[1].copy_(image_tokens(of, 1, absent, device)[0]);  // what fills it is nobody's business
      Visual visual = as_visual(of, tokens);
      visual.valid = at::ones({rows, of.tokens}, at::TensorOptions(device).dtype(at::kBool));
      visual.valid[1].fill_(false);
      return visual;
    };
    const Visual source = with_gap(layout), previous = with_gap(second ? subject.wiring().previous : layout);
    const auto session = read(painted.context);
    const auto condition = painted.denoiser().prepare(
        {.context = *session, .previous = second ? &previous : nullptr, .sources = {&source, 1}});
    return painted.predict(painted.tokens, *condition);
  };
  const Tensor first = predicted(32), second_time = predicted(33);
  if (!all_finite(first)) {
    fail("the prediction has NaN or infinity where a row has no source picture (Visual::valid is all false there)");
  }
  if (difference(second_time, first) > 1e-5) {
    fail(
        "the prediction depends on the padding of a source picture; look at Visual::valid, which is all false where a "
        "row has none");
  }
  return second ? "with what the link before made" : "";
}

/// What is computed ahead for times that are told is what would be computed when they are asked for.
void times_ahead(const Subject& subject) {
  const Painted painted(subject);
  const std::vector<double> times = {1.0, 0.7, 0.4, 0.0};
  const auto session = read(painted.context), plain = read(painted.context);
  const auto untold = painted.prepare(*plain);
  const auto told = painted.painter.prepare(painted.denoiser(), *session, times);
  for (const std::int64_t step : {2, 0, 3, 1}) {
    const Tensor time = at::full_like(painted.time, times[static_cast<std::size_t>(step)]);
    const Visual noised = as_visual(painted.painter.layout(), painted.tokens);
    const auto by = [&](const Condition& condition, std::int64_t of_step) {
      return painted.denoiser().predict({.noised = noised, .time = time, .condition = condition, .step = of_step});
    };
    const Tensor expected = by(*untold, -1);
    if (difference(by(*told, step), expected) > 1e-4) {
      fail(
          "the prediction at time {} differs when the time was told in `prepare` (Given::times[{}]); step counts from "
          "0",
          times[static_cast<std::size_t>(step)], step);
    }
    if (difference(by(*told, -1), expected) > 1e-4) {
      fail("the prediction at time {} with step -1 differs where times were told in `prepare`; look at `time` then",
           times[static_cast<std::size_t>(step)]);
    }
  }
}

}  // namespace blip3u::conformance
