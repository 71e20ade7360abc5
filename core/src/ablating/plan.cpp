#include "ablating/plan.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include <fmt/format.h>

#include "io/files.h"
#include "io/interrupt.h"
#include "io/progress.h"
#include "pipeline/create.h"
#include "pipeline/device.h"
#include "recipe/check.h"
#include "running/run_directory.h"
#include "running/runner.h"
#include "training/stage.h"
#include "training/stage_key.h"

namespace blip3u {

namespace fs = std::filesystem;

namespace {

std::optional<fs::path> trained(const Sweep& sweep) {
  return sweep.trained.empty() ? std::nullopt : std::optional(sweep.trained);
}

/// What decides a recipe's vocabulary, and how much of it is known.
class Vocabularies {
 public:
  struct Known {
    std::string fingerprint, vocabulary;
  };

  Known of(const Recipe& recipe) {
    const TrainingData data(recipe);
    Known known{data.fingerprint(), {}};
    const std::string tokenizer = recipe.tokenizer.name + text_of(recipe.tokenizer);
    std::string& vocabulary = vocabularies_[known.fingerprint + tokenizer];
    if (vocabulary.empty()) vocabulary = fitted_tokenizer(recipe, data)->serialize();
    known.vocabulary = vocabulary;
    return known;
  }

 private:
  static std::string text_of(const ComponentChoice& choice) {
    std::string text = choice.entry.library_hash;
    for (const auto& [name, unused] : choice.parameters.values()) text += name + identity_text(choice, name);
    return text;
  }
  std::map<std::string, std::string> vocabularies_;
};

/// A name for files.
std::string file_stem(const Sweep& sweep, const PlannedRun& run) {
  return fmt::format("{}.seed={}", sweep.points[run.point].name, sweep.seeds[run.seed]);
}

class Planner {
 public:
  explicit Planner(const Sweep& sweep) : sweep_(sweep) {
    plan_.directory = sweep.output / fmt::format("{}-ablation-{}", sweep.name, sweep.hash.substr(0, 8));
    device_ = open_device(sweep.points.front().recipes.front().device).str();
  }

  SweepPlan plan() {
    const auto started = std::chrono::steady_clock::now();
    for (std::size_t seed = 0; seed < sweep_.seeds.size(); ++seed) {
      for (std::size_t point = 0; point < sweep_.points.size(); ++point) {
        stop_if_interrupted();
        add_run(point, seed);
        if (plan_.runs.size() == 1) {
          plan_.seconds_to_open = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
        }
      }
    }
    look_again(plan_);
    return std::move(plan_);
  }

 private:
  void add_run(std::size_t point, std::size_t seed) {
    const Recipe& recipe = sweep_.points[point].recipes[seed];
    PlannedRun run{.point = point, .seed = seed, .directory = run_directory_of(recipe, trained(sweep_))};
    run.recipe = plan_.directory / "recipes" / (file_stem(sweep_, run) + ".yaml");
    if (sweep_.trained.empty()) add_stages(recipe, run);
    plan_.runs.push_back(std::move(run));
  }

  void add_stages(const Recipe& recipe, PlannedRun& run) {
    const Vocabularies::Known known = vocabularies_.of(recipe);
    Recipe seedless = recipe;
    seedless.seed = 0;
    StageKeys keys(recipe, known.fingerprint, known.vocabulary, device_);
    StageKeys alike(seedless, known.fingerprint, known.vocabulary, device_);
    for (const Stage& stage : recipe.stages) {
      const std::string key = keys.next(stage);
      const auto [found, fresh] = places_.emplace(key, plan_.stages.size());
      const std::string alike_key = alike.next(stage);
      if (fresh) {
        plan_.stages.push_back({.name = stage.name,
                                .key = key,
                                .alike = alike_key,
                                .folder = stage_folder(sweep_.output, stage, key),
                                .steps = stage.steps});
      }
      ++plan_.stages[found->second].runs;
      run.stages.push_back(found->second);
    }
  }

  const Sweep& sweep_;
  std::string device_;
  SweepPlan plan_;
  Vocabularies vocabularies_;
  std::map<std::string, std::size_t> places_;  // of stages, by key
};

std::string counted(std::size_t count, const std::string& one, const std::string& many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}
std::string counted(std::size_t count, const std::string& one) { return counted(count, one, one + "s"); }

std::string size_text(std::uintmax_t bytes) {
  if (bytes < 1'000'000'000) return fmt::format("{:.0f} MB", static_cast<double>(bytes) / 1e6);
  return fmt::format("{:.1f} GB", static_cast<double>(bytes) / 1e9);
}

}  // namespace

bool SweepPlan::complete() const {
  return std::ranges::all_of(runs, [](const PlannedRun& run) { return run.done; });
}

SweepPlan plan_sweep(const Sweep& sweep) { return Planner(sweep).plan(); }

void look_again(SweepPlan& plan) {
  for (PlannedStage& stage : plan.stages) stage.done = fs::exists(stage_weights(stage.folder));
  for (PlannedRun& run : plan.runs) look_again(run);
}

void look_again(PlannedRun& run) {
  const RunDirectory directory(run.directory);
  run.done = directory.has_metrics() && is_complete(directory.manifest(), true);
}

std::string title_of(const Sweep& sweep, const PlannedRun& run) {
  return fmt::format("{}, seed {}", sweep.points[run.point].name, sweep.seeds[run.seed]);
}

std::string describe(const Sweep& sweep, const SweepPlan& plan, const std::optional<Estimate>& estimate,
                     std::size_t jobs) {
  std::string text = fmt::format("{}: {}, {} of {}", sweep.name, sweep.design, counted(sweep.points.size(), "point"),
                                 counted(sweep.axes.size(), "axis", "axes"));
  text += fmt::format(", {}: {}\n", counted(sweep.seeds.size(), "seed"), counted(plan.runs.size(), "run"));
  for (const SweepAxis& axis : sweep.axes) {
    text += fmt::format("  {}:", axis.name);
    for (const std::string& label : axis.labels) text += ' ' + label;
    text += '\n';
  }
  text += fmt::format("  baseline: {}\n", sweep.points.front().name);
  for (const LeftOutPoint& point : sweep.left_out)
    text += fmt::format("  left out: {}: {}\n", point.name, point.reason);

  std::size_t wanted = 0;
  for (const PlannedRun& run : plan.runs) wanted += run.stages.size();
  const auto stages_done = static_cast<std::size_t>(std::ranges::count_if(plan.stages, &PlannedStage::done));
  if (!sweep.trained.empty()) {
    text += fmt::format("stages: none, all weights are those of {}\n", sweep.trained.string());
  } else {
    text += fmt::format("stages: {} wanted, {} of them shared, so {} to train, of which {} there already\n", wanted,
                        wanted - plan.stages.size(), plan.stages.size(), stages_done);
  }
  std::map<std::string, std::pair<std::size_t, std::size_t>> by_name;  // all, done
  for (const PlannedStage& stage : plan.stages) {
    auto& [all, done] = by_name[stage.name];
    ++all;
    if (stage.done) ++done;
  }
  for (const auto& [name, counts] : by_name) {
    text +=
        fmt::format("  {}: {} for {}, {} there\n", name, counts.first, counted(plan.runs.size(), "run"), counts.second);
  }
  text +=
      fmt::format("runs: {} of {} complete\n", std::ranges::count_if(plan.runs, &PlannedRun::done), plan.runs.size());
  if (estimate) {
    const std::string at_once = jobs > 1 ? fmt::format(" on one process at a time; {} run at once", jobs) : "";
    text += fmt::format("time: about {}{}\ndisk: about {} of weights; {} free\n", duration_text(estimate->seconds),
                        at_once, size_text(estimate->bytes), size_text(estimate->free_bytes));
  }
  return text;
}

}  // namespace blip3u
