// How long a sweep takes, by a few steps of each of its stages and a few questions of its tasks.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <set>

#include <fmt/format.h>

#include "ablating/plan.h"
#include "evaluating/ask.h"
#include "io/files.h"
#include "io/interrupt.h"
#include "io/json_file.h"
#include "io/say.h"
#include "pipeline/device.h"
#include "pipeline/pipeline.h"
#include "recipe/check.h"
#include "running/open_run.h"
#include "running/run_directory.h"
#include "running/runner.h"
#include "training/stage.h"

namespace blip3u {

namespace fs = std::filesystem;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::int64_t first_steps = 4, timed_steps = 12;  // the first are slower
constexpr std::int64_t questions = 16;                     // of a task
constexpr std::size_t most_evaluated = 6;  // pipelines that are asked; the others are taken for their mean
constexpr double seconds_to_start = 2;     // of a process with LibTorch, and for its report

double since(Clock::time_point started) { return std::chrono::duration<double>(Clock::now() - started).count(); }

/// What was measured, by what it was measured of.
class Measurements {
 public:
  explicit Measurements(fs::path file) : file_(std::move(file)) {
    if (fs::exists(file_)) values_ = json::parse(read_text(file_), nullptr, false);
    if (!values_.is_object()) values_ = json::object();
  }
  bool has(const std::string& key) const { return values_.contains(key); }
  double at(const std::string& key) const { return values_.at(key).get<double>(); }
  void set(const std::string& key, double value) {
    values_[key] = value;
    write_json(file_, values_);
  }

 private:
  fs::path file_;
  json values_ = json::object();
};

/// What all pipelines that answer alike share: all of a recipe but the seed.
std::string answering(Recipe recipe) {
  recipe.seed = 0;
  resolve(recipe);
  return "answers of " + recipe.hash;
}

class Estimator {
 public:
  Estimator(const Sweep& sweep, const SweepPlan& plan)
      : sweep_(sweep),
        plan_(plan),
        measured_(plan.directory / "measured.json"),
        scratch_(plan.directory / "measuring") {}

  Estimate estimate() {
    read_what_was_recorded();
    measure_stages();
    measure_answers();
    Estimate result = sum_up();
    fs::remove_all(scratch_);
    return result;
  }

 private:
  const Recipe& recipe_of(const PlannedRun& run) const { return sweep_.points[run.point].recipes[run.seed]; }

  void read_what_was_recorded() {
    for (const PlannedStage& stage : plan_.stages) {
      if (!stage.done || measured_.has(stage.alike) || !fs::exists(stage.folder / "seconds.txt")) continue;
      measured_.set(stage.alike, std::strtod(read_text(stage.folder / "seconds.txt").c_str(), nullptr));
    }
    for (const PlannedRun& run : plan_.runs) {
      if (!run.done) continue;
      double seconds = 0;
      const json recorded = RunDirectory(run.directory).manifest().value("seconds", json::object());
      for (const auto& [part, value] : recorded.items()) {
        if (part.starts_with("task ")) seconds += value.get<double>();
      }
      measured_.set(answering(recipe_of(run)), seconds);
    }
  }

  bool is_wanted(const PlannedStage& stage) const {
    return !stage.done && !(measured_.has(stage.alike) && measured_.has("bytes of " + stage.alike));
  }

  void measure_stages() {
    for (std::size_t number = 0; number < plan_.runs.size(); ++number) {
      const PlannedRun& run = plan_.runs[number];
      const bool wanted =
          std::ranges::any_of(run.stages, [&](std::size_t stage) { return is_wanted(plan_.stages[stage]); });
      if (run.done || !wanted) continue;
      say(fmt::format("blip3u: measuring a few steps of {}", title_of(sweep_, run)));
      const Recipe& recipe = recipe_of(run);
      const TrainingData data(recipe);
      Pipeline pipeline(recipe, fitted_tokenizer(recipe, data), open_device(recipe.device));
      for (std::size_t place = 0; place < run.stages.size(); ++place) {
        const PlannedStage& stage = plan_.stages[run.stages[place]];
        if (is_wanted(stage) && trains_anything(recipe.stages[place], pipeline)) {
          measure(stage, recipe.stages[place], pipeline, data);
        } else if (is_wanted(stage)) {
          measured_.set(stage.alike, 0);
          measured_.set("bytes of " + stage.alike, 0);
        }
      }
      if (is_answering_wanted(recipe)) measure_answers_of(recipe, pipeline, data);
    }
  }

  /// The time of all its steps, and what is done before the first.
  void measure(const PlannedStage& planned, Stage stage, Pipeline& pipeline, const TrainingData& data) {
    stop_if_interrupted();
    FeatureTable features;
    for (const std::string& role : pipeline.recipe().pipeline.encoders()) {
      if (trains(stage, role)) continue;
      features.try_emplace(role, dynamic_cast<Encoder&>(*pipeline.part(role)), pipeline.recipe().wiring.image_size,
                           pipeline.device(), std::nullopt, pipeline.recipe().data.keep_features);
    }
    stage.checkpoint_every = timed_steps + 1;
    const auto seconds_of = [&](std::int64_t steps) {
      stage.steps = steps;
      fs::remove_all(scratch_);
      return train_stage(stage, 0, pipeline, data, features, scratch_).seconds;
    };
    const auto started = Clock::now();
    const double first = seconds_of(std::min(planned.steps, first_steps));
    const double before = since(started) - first;
    const std::int64_t steps = std::min(planned.steps, timed_steps);
    double step = seconds_of(steps) / static_cast<double>(steps);
    const double warm = seconds_of(steps) / static_cast<double>(steps);                  // pictures are known now
    const double cold_steps = std::min<double>(static_cast<double>(planned.steps), 64);  // of thousands hardly any
    const double rest = static_cast<double>(planned.steps) - cold_steps;
    measured_.set("bytes of " + planned.alike, static_cast<double>(fs::file_size(stage_weights(scratch_))));
    measured_.set(planned.alike, before + step * cold_steps + warm * rest);
  }

  bool is_answering_wanted(const Recipe& recipe) const {
    return answered_ < most_evaluated && !measured_.has(answering(recipe));
  }

  /// Asks the pipelines of points that no stage had to be measured of, evenly among them.
  void measure_answers() {
    std::vector<const PlannedRun*> unknown;
    std::set<std::string> seen;
    for (const PlannedRun& run : plan_.runs) {
      const std::string key = answering(recipe_of(run));
      if (!run.done && !measured_.has(key) && seen.insert(key).second) unknown.push_back(&run);
    }
    const std::size_t wanted = answered_ < most_evaluated ? std::min(unknown.size(), most_evaluated - answered_) : 0;
    for (std::size_t i = 0; i < wanted; ++i) {
      const PlannedRun& run = *unknown[i * unknown.size() / wanted];
      const Recipe& recipe = recipe_of(run);
      say(fmt::format("blip3u: measuring a few answers of {}", title_of(sweep_, run)));
      const TrainingData data(recipe);
      if (!sweep_.trained.empty()) {
        measure_answers_of(recipe, *open_run(sweep_.trained, recipe, std::nullopt).model, data);
      } else {
        Pipeline pipeline(recipe, fitted_tokenizer(recipe, data), open_device(recipe.device));
        measure_answers_of(recipe, pipeline, data);
      }
    }
  }

  void measure_answers_of(const Recipe& recipe, Model& model, const TrainingData& data) {
    double seconds = 0;
    for (const ComponentChoice& choice : recipe.evaluation) {
      stop_if_interrupted();
      const auto task = make_task(choice, recipe);
      if (!model.missing_for(task->needs()).empty() || !task->missing_for(data.for_tasks()).empty()) continue;
      const std::vector<Item> items = task->items(data.for_tasks(), recipe.seed);
      std::vector<std::size_t> all(items.size());
      for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
      ItemBatch batch = batches_of(task->needs(), items, all).front();
      if (batch.size() > static_cast<std::size_t>(questions)) batch.resize(questions);
      const auto started = Clock::now();
      const auto outputs = ask(model, task->needs(), items, batch, data.for_tasks().image_size, recipe.seed);
      for (std::size_t i = 0; i < batch.size(); ++i) (void)task->score(items[batch[i]], outputs[i]);
      seconds += since(started) * static_cast<double>(items.size()) / static_cast<double>(batch.size());
    }
    measured_.set(answering(recipe), seconds);
    ++answered_;
  }

  Estimate sum_up() const {
    Estimate result;
    for (const PlannedStage& stage : plan_.stages) {
      if (stage.done) continue;
      if (measured_.has(stage.alike)) result.seconds += measured_.at(stage.alike);
      if (!measured_.has("bytes of " + stage.alike)) continue;
      result.bytes += static_cast<std::uintmax_t>(measured_.at("bytes of " + stage.alike)) * (1 + stage.runs);
    }
    double known = 0;
    std::size_t count = 0, unknown = 0;
    for (const PlannedRun& run : plan_.runs) {
      const std::string key = answering(recipe_of(run));
      if (!measured_.has(key)) {
        if (!run.done) ++unknown;
        continue;
      }
      known += measured_.at(key);
      ++count;
      if (!run.done) result.seconds += measured_.at(key);
    }
    if (count > 0) result.seconds += known / static_cast<double>(count) * static_cast<double>(unknown);
    for (const PlannedRun& run : plan_.runs) {
      if (!run.done) result.seconds += seconds_to_start + plan_.seconds_to_open;
    }
    std::error_code ignored;
    result.free_bytes = fs::space(plan_.directory, ignored).available;
    return result;
  }

  const Sweep& sweep_;
  const SweepPlan& plan_;
  Measurements measured_;
  const fs::path scratch_;
  std::size_t answered_ = 0;
};

}  // namespace

Estimate estimate(const Sweep& sweep, const SweepPlan& plan) {
  create_folder(plan.directory);
  return Estimator(sweep, plan).estimate();
}

}  // namespace blip3u
