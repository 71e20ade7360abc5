#include "running/runner.h"

#include <chrono>
#include <ctime>
#include <map>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <ATen/Parallel.h>

#include "blip3u/error.h"
#include "blip3u/utf8.h"
#include "evaluating/evaluate.h"
#include "io/content.h"
#include "io/files.h"
#include "io/hash.h"
#include "io/interrupt.h"
#include "io/lock.h"
#include "io/progress.h"
#include "io/say.h"
#include "pipeline/create.h"
#include "pipeline/device.h"
#include "pipeline/pipeline.h"
#include "recipe/suggest.h"
#include "running/open_run.h"
#include "running/run_directory.h"
#include "training/look_through.h"
#include "training/objectives.h"
#include "training/stage.h"
#include "training/stage_key.h"
#include "training/training_data.h"

namespace blip3u {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

std::string utc_now() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

/// Throws Error for a name of a class that nothing could write.
void check_classes(const TrainingData& data) {
  for (const std::string& name : data.classes()) {
    if (first_not_utf8(name) == std::string::npos) continue;
    throw Error(fmt::format("data: the class '{}' is not UTF-8; convert it", name));
  }
}

json losses_at_end(const StageRecord& record) {
  json result = json::object();
  for (const auto& [name, values] : record.losses) {
    const std::size_t count = std::min<std::size_t>(50, values.size());
    double sum = 0;
    for (std::size_t i = values.size() - count; i < values.size(); ++i) sum += values[i];
    result[name] = count ? sum / static_cast<double>(count) : 0.0;
  }
  return result;
}

/// A task, made once, and why it cannot be evaluated; empty if it can.
struct PlannedTask {
  std::string name;
  std::unique_ptr<Task> task;
  std::string missing;
};

/// Without a model only the data are asked: stored replies are at hand.
PlannedTask plan_task(const std::string& name, std::unique_ptr<Task> task, const Model* model,
                      const TrainingData& data) {
  std::string missing = model ? model->missing_for(task->needs()) : std::string();
  if (missing.empty()) missing = task->missing_for(data.for_tasks());
  return {name, std::move(task), std::move(missing)};
}

/// Asks for the replies that the folder lacks, under a progress bar, and scores all; without a model, those stored.
TaskResult scored_replies(const PlannedTask& planned, const Recipe& recipe, Model* model, const TrainingData& data,
                          const fs::path& folder, const Choosing& choosing) {
  std::unique_ptr<ProgressBar> progress;
  const auto report = [&](std::int64_t done, std::int64_t total) {
    stop_if_interrupted();
    if (!progress) progress = std::make_unique<ProgressBar>("task " + planned.name, total);
    progress->update(done);
  };
  const std::uint64_t seed = derive_seed(derive_seed(recipe.seed, "evaluation"), planned.name);
  if (!model) return score_again(*planned.task, data.for_tasks(), seed, folder);
  TaskResult result = blip3u::evaluate(*planned.task, *model, data.for_tasks(), seed, folder, report, choosing);
  if (progress) progress->finish();
  return result;
}

/// Evaluates one task and stores its result; a task that cannot be evaluated is stored as not applicable. Without a
/// model the stored replies are scored.
TaskResult evaluate_task(const PlannedTask& planned, const Recipe& recipe, Model* model, const TrainingData& data,
                         const RunDirectory& directory, json& seconds) {
  const auto& [name, task, missing] = planned;
  if (!missing.empty()) {
    say(fmt::format("task {}: not applicable, {}", name, missing));
    directory.write_inapplicable(name, missing);
    return {};
  }
  const auto started = std::chrono::steady_clock::now();
  TaskResult result = scored_replies(planned, recipe, model, data, directory.replies_folder(name), {});
  directory.write_result(name, result);
  seconds["task " + name] = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return result;
}

/// The scores of a task whose pictures are each the best of several. The run keeps nothing of it but the replies until
/// all are made.
std::vector<Score> evaluate_chosen(const PlannedTask& planned, const Recipe& recipe, Model& model,
                                   const TrainingData& data, const RunDirectory& directory, std::int64_t of) {
  if (!planned.missing.empty()) throw Error(Fault::usage, fmt::format("task {}: {}", planned.name, planned.missing));
  if (planned.task->needs() != Model::Ability::generate) {
    throw Error(Fault::usage, fmt::format("task {}: does not ask for pictures of prompts, of which the best could be "
                                          "chosen; leave --best_of out",
                                          planned.name));
  }
  const Choosing choosing{.judge = judge_for(model, std::nullopt), .of = of};
  const fs::path replies = directory.replies_folder(fmt::format("{}/best_of_{}", planned.name, of));
  TaskResult result = scored_replies(planned, recipe, &model, data, replies, choosing);
  fs::remove_all(replies);
  return std::move(result.scores);
}

/// The recipe's task of that name or short name, else any task component of that name with its defaults.
ComponentChoice find_task(const Recipe& recipe, const std::string& name, Catalog& catalog) {
  for (const ComponentChoice& choice : recipe.evaluation) {
    if (choice.name == name || short_name(choice.name) == name) return choice;
  }
  for (const std::string& known : catalog.names(Kind::task)) {
    if (known != name && short_name(known) != name) continue;
    ComponentChoice choice{
        .kind = Kind::task, .name = known, .entry = catalog.find(Kind::task, known), .parameters = {}};
    choice.parameters = Parameters::defaults(choice.entry.component->parameters);
    return choice;
  }
  throw Error(Fault::usage, fmt::format("no task `{}`{}", name, suggest(name, catalog.names(Kind::task), "tasks")));
}

/// What names a run: its recipe, and the weights that it took from another.
std::string identity_of(const Recipe& recipe, const std::optional<fs::path>& trained) {
  if (!trained) return recipe.hash;
  return sha256_text(fmt::format("{} {}", recipe.hash, content_hash(*trained / "checkpoints")));
}

class Run {
 public:
  Run(const Recipe& recipe, const RunOptions& options)
      : recipe_(recipe),
        options_(options),
        identity_(identity_of(recipe, options.trained)),
        directory_(options.directory ? *options.directory : run_directory_of(recipe, options.trained)),
        shared_(options.directory ? *options.directory : recipe.output) {}

  fs::path run() {
    if (!options_.until.empty() &&
        std::ranges::find(recipe_.stages, options_.until, &Stage::name) == recipe_.stages.end()) {
      std::vector<std::string> names;
      for (const Stage& stage : recipe_.stages) names.push_back(stage.name);
      throw Error(Fault::usage,
                  fmt::format("no stage `{}`{}", options_.until, suggest(options_.until, names, "stages")));
    }
    if (is_done(manifest_of_this_recipe())) return already_complete();
    const at::Device device = open_device(recipe_.device);
    create_folder(directory_.path());
    const FileLock lock(directory_.path() / ".lock");
    const json before = manifest_of_this_recipe();  // again: another process may have been at work here
    if (is_done(before)) return already_complete();
    begin(before, device);
    try {
      if (options_.trained)
        evaluate_trained(device);
      else
        train_and_evaluate(device);
    } catch (const Interrupted&) {
      finish("interrupted");
      throw;
    } catch (...) {
      finish("failed");
      throw;
    }
    if (!options_.until.empty()) {
      finish("interrupted");  // it goes on another time
      return directory_.path();
    }
    finish("complete");
    write_report();
    return directory_.path();
  }

 private:
  json manifest_of_this_recipe() const {
    json manifest = directory_.manifest();
    if (!manifest.contains("hash") || manifest["hash"] == identity_) return manifest;
    throw Error(Fault::usage, fmt::format("{}: holds the run of another recipe or of other plugins; name another "
                                          "folder, or delete this one",
                                          directory_.path().string()));
  }

  bool is_done(const json& manifest) const {
    return is_complete(manifest, options_.evaluate) && directory_.has_metrics();
  }

  fs::path already_complete() const {
    say(fmt::format("{}: already complete", directory_.path().string()));
    if (!fs::exists(directory_.path() / "report.html")) write_report();  // killed just before it was written
    return directory_.path();
  }

  void write_report() const {
    if (options_.evaluate && options_.write_report) options_.write_report(directory_.path());
  }

  void begin(const json& before, at::Device device) {
    directory_.write_recipe(recipe_);
    manifest_ = {{"format", 1},
                 {"name", recipe_.name},
                 {"hash", identity_},
                 {"status", "running"},
                 {"evaluated", false},
                 {"arguments", options_.arguments},
                 {"version", BLIP3U_VERSION},
                 {"build", BLIP3U_BUILD_STAMP},
                 {"commit", std::getenv("BLIP3U_COMMIT") ? std::getenv("BLIP3U_COMMIT") : "unknown"},
                 {"device", device.str()},
                 {"threads", at::get_num_threads()},
                 {"seed", recipe_.seed},
                 {"started", before.value("started", utc_now())},
                 {"seconds", before.value("seconds", json::object())},
                 {"key", before.value("key", "")},
                 {"plugins", json::array()}};
    if (options_.trained) manifest_["weights_from"] = options_.trained->string();
    const auto add = [&](const ComponentChoice& choice) {
      manifest_["plugins"].push_back({{"name", choice.name},
                                      {"kind", kind_name(choice.kind)},
                                      {"file", choice.entry.library_path},
                                      {"version", choice.entry.library_version},
                                      {"sha256", choice.entry.library_hash}});
    };
    for (const SourceChoice& source : recipe_.data.sources) add(source.dataset);
    add(recipe_.tokenizer);
    for (const std::string& role : recipe_.pipeline.roles()) add(recipe_.pipeline.parts.at(role));
    for (const ComponentChoice& task : recipe_.evaluation) add(task);
    directory_.write_manifest(manifest_);
  }

  void finish(const std::string& status) {
    manifest_["status"] = status;
    manifest_["evaluated"] = status == "complete" && options_.evaluate;
    manifest_["finished"] = utc_now();
    directory_.write_manifest(manifest_);
  }

  void train_and_evaluate(at::Device device) {
    const TrainingData data(recipe_);
    check_classes(data);
    for (const Stage& stage : recipe_.stages) check_stage_data(stage, data);
    if (options_.evaluate && !recipe_.evaluation.empty()) look_at_test_samples(data);
    auto tokenizer = fitted_tokenizer(recipe_, data);
    say_picture_warnings();
    directory_.write_texts(*tokenizer, data.classes());
    StageKeys keys(recipe_, data.fingerprint(), tokenizer->serialize(), device.str());
    know_key(keys.run());
    Pipeline pipeline(recipe_, std::move(tokenizer), device);
    const std::vector<PlannedTask> tasks = plan_tasks(pipeline, data);
    for (const Stage& stage : recipe_.stages) {
      stop_if_interrupted();
      train(stage, keys, pipeline, data);
      if (stage.name == options_.until) return;
    }
    evaluate_all(tasks, pipeline, data);
  }

  /// With the weights of another run, whose recipe trains the same.
  void evaluate_trained(at::Device device) {
    const TrainingData data(recipe_);
    look_at_test_samples(data);
    const RunDirectory trained(*options_.trained);
    const OpenedRun opened = open_run(trained.path(), recipe_, std::nullopt);
    directory_.write_texts(*opened.tokenizer, opened.classes);
    for (const Stage& stage : recipe_.stages)
      link_file(trained.checkpoint(stage.name), directory_.checkpoint(stage.name));
    StageKeys keys(recipe_, data.fingerprint(), opened.tokenizer->serialize(), device.str());
    know_key(sha256_text(keys.run() + identity_).substr(0, 16));
    stages_ = trained.metrics().value("stages", json::array());
    evaluate_all(plan_tasks(*opened.model, data), *opened.model, data);
  }

  /// Scores of other data, another device or another program are no longer good.
  void know_key(const std::string& key) {
    if (manifest_["key"] != key) directory_.forget_results();
    manifest_["key"] = key;
    directory_.write_manifest(manifest_);
  }

  void evaluate_all(const std::vector<PlannedTask>& tasks, Model& model, const TrainingData& data) {
    for (const PlannedTask& task : tasks) {
      stop_if_interrupted();
      if (directory_.has_result(task.name)) continue;
      evaluate_task(task, recipe_, &model, data, directory_, manifest_["seconds"]);
      directory_.write_manifest(manifest_);
    }
    stop_if_interrupted();
    directory_.write_metrics(recipe_, stages_);
  }

  /// Makes the tasks, and says before the training which will not be evaluated after it.
  std::vector<PlannedTask> plan_tasks(const Model& model, const TrainingData& data) const {
    std::vector<PlannedTask> tasks;
    if (!options_.evaluate) return tasks;
    for (const ComponentChoice& choice : recipe_.evaluation) {
      tasks.push_back(plan_task(choice.name, make_task(choice, recipe_), &model, data));
      const std::string& missing = tasks.back().missing;
      if (!missing.empty()) say(fmt::format("task {}: will not be evaluated: {}", choice.name, missing));
    }
    return tasks;
  }

  void train(const Stage& stage, StageKeys& keys, Pipeline& pipeline, const TrainingData& data) {
    if (!trains_anything(stage, pipeline)) {
      say(fmt::format("stage {}: nothing to train", stage.name));
      return;
    }
    keep_features(stage, keys, pipeline);
    const fs::path folder = stage_folder(shared_, stage, keys.next(stage));
    create_folder(folder);
    const FileLock lock(folder / ".lock");
    const bool known = fs::exists(stage_weights(folder));
    const std::uint64_t seed = derive_seed(derive_seed(recipe_.seed, "stage"), stage.name);
    const StageRecord record = train_stage(stage, seed, pipeline, data, features_, folder);
    if (known) say(fmt::format("stage {}: taken from {}", stage.name, folder.string()));
    write_atomically(directory_.checkpoint(stage.name), read_text(stage_weights(folder)));
    directory_.write_losses(stage.name, record.losses);
    stages_.push_back({{"name", stage.name}, {"steps", stage.steps}, {"losses", losses_at_end(record)}});
    manifest_["seconds"]["stage " + stage.name] = record.seconds;
    directory_.write_manifest(manifest_);
  }

  /// Has the features of the encoders that stand still in this stage at hand.
  void keep_features(const Stage& stage, const StageKeys& keys, const Pipeline& pipeline) {
    for (const std::string& role : recipe_.pipeline.encoders()) {
      const std::string key = trains(stage, role) ? std::string() : keys.features(role);
      if (std::exchange(feature_keys_[role], key) == key) continue;
      features_.erase(role);
      if (key.empty()) continue;
      features_.try_emplace(role, dynamic_cast<Encoder&>(*pipeline.part(role)), recipe_.wiring.image_size,
                            pipeline.device(), shared_ / "features" / key, recipe_.data.keep_features);
    }
  }

  const Recipe& recipe_;
  const RunOptions& options_;
  const std::string identity_;
  const RunDirectory directory_;
  const fs::path shared_;  // stages and features, for all runs beside this one
  FeatureTable features_;  // of the encoders that stand still
  std::map<std::string, std::string> feature_keys_;
  json manifest_;
  json stages_ = json::array();
};

}  // namespace

std::shared_ptr<Tokenizer> fitted_tokenizer(const Recipe& recipe, const TrainingData& data) {
  auto tokenizer = make_tokenizer(recipe);
  if (auto* const learner = dynamic_cast<LearnsVocabulary*>(tokenizer.get())) {
    learner->fit(look_at_training_samples(data));
  }
  return tokenizer;
}

std::unique_ptr<Task> make_task(const ComponentChoice& choice, const Recipe& recipe) {
  const BuildContext context{.wiring = recipe.wiring, .seed = recipe.seed};
  return create_component<Task>(choice.entry, choice.name, choice.parameters, context);
}

fs::path stage_folder(const fs::path& output, const Stage& stage, const std::string& key) {
  return output / "stages" / fmt::format("{}-{}", stage.name, key);
}

fs::path run_directory_of(const Recipe& recipe, const std::optional<fs::path>& trained) {
  return recipe.output / fmt::format("{}-{}", recipe.name, identity_of(recipe, trained).substr(0, 8));
}

fs::path run_recipe(const Recipe& recipe, const RunOptions& options) { return Run(recipe, options).run(); }

std::vector<Score> evaluate_run(const fs::path& run_directory, const std::string& task, Catalog& catalog,
                                const RunOptions& options) {
  const Recipe recipe = recipe_of(run_directory, catalog);
  const RunDirectory directory(run_directory);
  const FileLock lock(run_directory / ".lock");
  const ComponentChoice choice = find_task(recipe, task, catalog);
  auto made = make_task(choice, recipe);
  const std::unique_ptr<Model> model =
      options.stored_replies ? nullptr : open_run(run_directory, recipe, made->needs()).model;
  const TrainingData data(recipe);
  const PlannedTask planned = plan_task(choice.name, std::move(made), model.get(), data);
  if (options.best_of > 1) return evaluate_chosen(planned, recipe, *model, data, directory, options.best_of);
  json manifest = directory.manifest();
  const json metrics = directory.metrics();
  if (model && directory.has_result(choice.name)) directory.forget_result(choice.name);  // else it was stopped: go on
  const TaskResult result = evaluate_task(planned, recipe, model.get(), data, directory, manifest["seconds"]);
  directory.write_manifest(manifest);
  directory.write_metrics(recipe, metrics.value("stages", json::array()));
  if (options.write_report) options.write_report(run_directory);
  return result.scores;
}

}  // namespace blip3u
