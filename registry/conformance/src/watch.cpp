#include "watch.h"

#include <set>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "calls.h"

namespace blip3u::conformance {

namespace {

/// Fails unless it throws Cancelled where the watch says to stop, and tells it nothing more.
void stop_at(std::int64_t last, const std::function<Tensor(const Watch& watch)>& work) {
  bool stopped = false, went_on = false;
  const Watch watch = [&](const Step& step) {
    went_on = stopped;
    stopped = stopped || step.done == last;
    return !stopped;
  };
  std::string outcome = "it returns a result";
  try {
    work(watch);
  } catch (const Cancelled&) {
    outcome.clear();
  } catch (const Error& error) {
    outcome = fmt::format("it throws another error ({})", error.what());
  }
  if (went_on) outcome = "it goes on";
  if (outcome.empty()) return;
  fail("when the watch says to stop after step {}, {}; throw Cancelled there (blip3u::report does)", last, outcome);
}

}  // namespace

std::string watched(const std::function<Tensor(const Watch& watch)>& work, bool stepped) {
  const at::NoGradGuard no_gradient;
  std::vector<Step> steps;
  const Tensor whole = work([&](const Step& step) {
    if (step.guess && step.guess->x.defined() && !step.guess->x.isfinite().all().item<bool>()) {
      fail("the guess that it tells the watch after step {} has NaN or infinity", step.done);
    }
    steps.push_back({.done = step.done, .total = step.total});
    return true;
  });
  if (steps.empty() && !stepped) return "it takes no steps";
  if (steps.empty()) {
    fail("it tells the watch of no step, so that nobody can show or stop it; call blip3u::report after each");
  }
  const std::int64_t count = std::ssize(steps);
  for (std::int64_t i = 0; i < count; ++i) {
    const Step& step = steps[static_cast<std::size_t>(i)];
    if (step.done == i + 1 && step.total == count) continue;
    fail("it tells the watch of step {} of {}, where it is number {} of {}; count from 1 to the total", step.done,
         step.total, i + 1, count);
  }
  for (const std::int64_t last : std::set<std::int64_t>{1, (count + 1) / 2, count}) stop_at(last, work);
  if (difference(work({}), whole) > 1e-6) fail("after it was stopped, it gives another result than before");
  return fmt::format("{} steps", count);
}

}  // namespace blip3u::conformance
