#include "training/stage.h"

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <set>

#include <fmt/format.h>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "blip3u/error.h"
#include "io/files.h"
#include "io/interrupt.h"
#include "io/progress.h"
#include "io/safetensors.h"
#include "model/reader.h"
#include "training/objectives.h"
#include "training/optimizer.h"
#include "training/step_loss.h"

namespace blip3u {

namespace fs = std::filesystem;

namespace {

constexpr const char* series_prefix = "series/";
constexpr const char* position_prefix = "position/";

fs::path seconds_file(const fs::path& folder) { return folder / "seconds.txt"; }

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::vector<NamedTensor> series_tensors(const StageRecord& record) {
  std::vector<NamedTensor> result;
  for (const auto& [name, values] : record.losses) {
    result.push_back({series_prefix + name, at::tensor(values, at::kDouble)});
  }
  return result;
}

StageRecord read_record(const WeightFile& file, const fs::path& path) {
  StageRecord record;
  if (!file.metadata.contains("stage")) {
    throw Error(
        fmt::format("{}: not a stage file of this program; delete it, and the stage is trained anew", path.string()));
  }
  for (const NamedTensor& tensor : file.tensors) {
    if (!tensor.name.starts_with(series_prefix)) continue;
    const double* data = tensor.value.data_ptr<double>();
    record.losses[tensor.name.substr(std::string_view(series_prefix).size())].assign(data, data + tensor.value.numel());
  }
  return record;
}

/// Of the parts that a stage trains the weights that learn, once each, as role/name.
std::vector<NamedTensor> trained_weights(const Stage& stage, const Pipeline& pipeline) {
  std::vector<NamedTensor> result;
  std::set<std::string> known;
  for (const TrainedPart& part : trained_parts(stage)) {
    const Component* const component = pipeline.part(part.role);
    if (!component) continue;  // not built for what is asked
    for (const NamedTensor& weight : component->weights()) {
      std::string name = part.role + "/" + weight.name;
      if (part.holds(weight.name) && known.insert(name).second) result.push_back({std::move(name), weight.value});
    }
  }
  return result;
}

/// What changes in training besides weights: the state of the trained components, and the scales at which pictures are
/// learned.
std::vector<NamedTensor> trained_state(const Stage& stage, const Pipeline& pipeline) {
  std::vector<NamedTensor> result;
  std::set<std::string> roles;
  for (const TrainedPart& part : trained_parts(stage)) {
    if (!pipeline.part(part.role) || !roles.insert(part.role).second) continue;
    for (const NamedTensor& tensor : pipeline.part(part.role)->state()) {
      result.push_back({part.role + "/" + tensor.name, tensor.value});
    }
  }
  for (const std::size_t link : learned_links(stage, pipeline.recipe().pipeline)) {
    const std::string& place = pipeline.recipe().pipeline.generation[link].place;
    for (const NamedTensor& tensor : pipeline.links()[link].scale.tensors()) {
      result.push_back(
          {fmt::format("{}/feature_scale.{}", place.empty() ? "generation" : place, tensor.name), tensor.value});
    }
  }
  return result;
}

/// What a stage leaves behind: that which it trained, over what was there before.
std::vector<NamedTensor> saved_tensors(const Stage& stage, const Pipeline& pipeline) {
  std::vector<NamedTensor> result = trained_weights(stage, pipeline);
  for (NamedTensor& tensor : trained_state(stage, pipeline)) result.push_back(std::move(tensor));
  return result;
}

/// Marks the weights that learn, and unmarks them all when done.
class Learning {
 public:
  Learning(const Stage& stage, Pipeline& pipeline) : stage_(stage), pipeline_(pipeline) {
    for (const std::string& role : pipeline.recipe().pipeline.roles()) still(role);
    for (const TrainedPart& part : trained_parts(stage)) pipeline_.part(part.role)->set_training(true);
    for (const NamedTensor& weight : trained_weights(stage, pipeline)) weight.value.set_requires_grad(true);
  }
  ~Learning() {
    for (const TrainedPart& part : trained_parts(stage_)) still(part.role);
  }
  Learning(const Learning&) = delete;
  Learning& operator=(const Learning&) = delete;

 private:
  void still(std::string_view role) {
    Component* const component = pipeline_.part(role);
    if (!component) return;
    for (const NamedTensor& weight : component->weights()) weight.value.set_requires_grad(false);
    component->set_training(false);
  }
  const Stage& stage_;
  Pipeline& pipeline_;
};

class Trainer {
 public:
  Trainer(const Stage& stage, std::uint64_t seed, Pipeline& pipeline, const TrainingData& data, FeatureTable& features,
          const fs::path& folder)
      : stage_(stage),
        pipeline_(pipeline),
        data_(data),
        features_(features),
        folder_(folder),
        learning_(stage, pipeline),
        objective_(make_objective(stage, seed, pipeline, data, features)),
        weights_(trained_weights(stage, pipeline)),
        optimizer_(weights_, stage) {
    check_patterns();
    check_parts();
  }

  StageRecord run() {
    const std::int64_t first = resume();
    if (first == 0) measure_feature_scales();
    started_ = now();
    earlier_ = record_.seconds;
    ProgressBar progress(fmt::format("stage {}", stage_.name), stage_.steps, first);
    for (std::int64_t step = first; step < stage_.steps; ++step) {
      const double total = train_step(step);
      progress.update(step + 1, fmt::format("loss {:.4f}", total));
      if (step + 1 == stage_.steps) break;  // what is complete is saved as such, also when interrupted
      const bool due = (step + 1) % stage_.checkpoint_every == 0, stopping = interrupted();
      if (due || stopping) save_progress(step + 1);
      if (stopping) stop(step + 1);
    }
    optimizer_.use_averages();
    progress.finish("");
    save_weights();
    return record_;
  }

 private:
  double train_step(std::int64_t step) {
    const StepLoss loss = work_out(objective_->losses(step), weights_);
    if (loss.terms.empty()) {
      throw Error(Fault::usage, fmt::format("stage `{}`: its components have no loss to train with", stage_.name));
    }
    const double value = loss.total;
    if (!std::isfinite(value)) throw diverged(step, fmt::format("the loss is {}", value));
    const double norm = optimizer_.step(step);
    if (!std::isfinite(norm)) throw diverged(step, gradient_fault(norm));
    objective_->after_step(step);
    for (const auto& [name, mean] : loss.terms) record_.losses[name].push_back(mean);
    record_.losses["total"].push_back(value);
    return value;
  }

  Error diverged(std::int64_t step, const std::string& what) const {
    return Error(
        fmt::format("stage `{}`, step {}: {}; lower training.{}.learning_rate", stage_.name, step, what, stage_.name));
  }

  std::string gradient_fault(double norm) const {
    for (const NamedTensor& weight : weights_) {
      const Tensor& gradient = weight.value.grad();
      if (!gradient.defined() || gradient.isfinite().all().item<bool>()) continue;
      return fmt::format("the gradient of the weight {} is not finite", weight.name);
    }
    return fmt::format("the norm of the gradients is {}", norm);  // each is finite, and the sum of squares is not
  }

  /// What the last step did to the weights no loss has told.
  void check_finite(std::int64_t step) const {
    for (const NamedTensor& weight : weights_) {
      if (weight.value.isfinite().all().item<bool>()) continue;
      throw diverged(step, fmt::format("the weight {} is no longer finite", weight.name));
    }
  }

  void measure_feature_scales() {
    const PipelineChoices& choices = pipeline_.recipe().pipeline;
    for (const std::size_t link : learned_links(stage_, choices)) {
      measure_feature_scale(pipeline_.links()[link], pipeline_.recipe().seed, data_,
                            features_.at(choices.generation[link].target));
    }
  }

  std::vector<NamedTensor> changing_state() const {
    std::vector<NamedTensor> result;
    for (const NamedTensor& tensor : trained_state(stage_, pipeline_)) {
      result.push_back({"state/" + tensor.name, tensor.value});
    }
    return result;
  }

  void check_patterns() const {
    for (const TrainedPart& part : trained_parts(stage_)) {
      const auto weights = pipeline_.part(part.role)->weights();
      const auto held = [&](const NamedTensor& weight) { return part.holds(weight.name); };
      if (weights.empty() || std::ranges::any_of(weights, held)) continue;
      throw Error(Fault::usage, fmt::format("stage `{}`: no weight of the {} matches `{}`; its first is `{}`",
                                            stage_.name, part.role, part.pattern, weights.front().name));
    }
  }

  /// What a part gathers while it is asked for losses would depend on which thread comes first.
  void check_parts() const {
    if (stage_.parts == 1) return;
    for (const std::string& role : pipeline_.recipe().pipeline.roles()) {
      Component* const part = pipeline_.part(role);
      const bool gathers = trains(stage_, role) && (dynamic_cast<AfterStep*>(part) || !part->state().empty());
      if (!dynamic_cast<LearnsBesides*>(part) && !gathers) continue;
      throw Error(Fault::usage,
                  fmt::format("stage `{}`: the {} gathers something of each batch, which cannot be cut; set "
                              "training.{}.parts to 1",
                              stage_.name, role, stage_.name));
    }
  }

  fs::path progress_file() const { return folder_ / "progress.safetensors"; }

  std::int64_t resume() {
    if (!fs::exists(progress_file())) return 0;
    const WeightFile file = load_safetensors(progress_file());
    record_ = read_record(file, progress_file());
    record_.seconds = std::stod(file.metadata.at("seconds"));
    std::vector<NamedTensor> targets = optimizer_.saved_tensors();
    for (const NamedTensor& tensor : changing_state()) targets.push_back(tensor);
    WeightFile tensors;
    std::vector<NamedTensor> position;
    for (const NamedTensor& tensor : file.tensors) {
      if (tensor.name.starts_with(position_prefix)) {
        position.push_back({tensor.name.substr(std::string_view(position_prefix).size()), tensor.value});
      } else if (!tensor.name.starts_with(series_prefix)) {
        tensors.tensors.push_back(tensor);
      }
    }
    copy_weights(tensors, targets, progress_file().string());
    objective_->go_on_from(position);
    return std::stoll(file.metadata.at("step"));
  }

  std::string seconds() {
    record_.seconds = earlier_ + now() - started_;
    return fmt::format("{:.3f}", record_.seconds);
  }

  void save_progress(std::int64_t step) {
    check_finite(step - 1);
    for (auto& [role, features] : features_) features.flush();
    std::vector<NamedTensor> tensors = optimizer_.saved_tensors();
    for (const NamedTensor& tensor : objective_->position()) {
      tensors.push_back({position_prefix + tensor.name, tensor.value});
    }
    for (const auto& more : {changing_state(), series_tensors(record_)}) {
      tensors.insert(tensors.end(), more.begin(), more.end());
    }
    save_safetensors(progress_file(), tensors,
                     {{"stage", stage_.name}, {"seconds", seconds()}, {"step", std::to_string(step)}});
  }

  void save_weights() {
    check_finite(stage_.steps - 1);
    for (auto& [role, features] : features_) features.flush();
    std::vector<NamedTensor> tensors = series_tensors(record_);
    for (NamedTensor& tensor : saved_tensors(stage_, pipeline_)) tensors.push_back(std::move(tensor));
    write_atomically(seconds_file(folder_), seconds());  // not in the weights, which are the same bits in every run
    save_safetensors(stage_weights(folder_), tensors, {{"stage", stage_.name}});
    fs::remove(progress_file());
  }

  [[noreturn]] void stop(std::int64_t step) const {
    throw Interrupted(fmt::format("interrupted in stage `{}` after step {} of {}; the same command goes on from there",
                                  stage_.name, step, stage_.steps));
  }

  const Stage& stage_;
  Pipeline& pipeline_;
  const TrainingData& data_;
  FeatureTable& features_;
  const fs::path folder_;
  Learning learning_;
  std::unique_ptr<StageObjective> objective_;
  const std::vector<NamedTensor> weights_;
  Optimizer optimizer_;
  StageRecord record_;
  double started_ = 0, earlier_ = 0;
};

}  // namespace

bool trains_anything(const Stage& stage, const Pipeline& pipeline) {
  return std::ranges::any_of(trained_parts(stage), [&](const TrainedPart& part) {
    const Component* const component = pipeline.part(part.role);
    return component && !component->weights().empty();
  });
}

fs::path stage_weights(const fs::path& folder) { return folder / "weights.safetensors"; }

StageRecord load_stage_weights(const fs::path& file, const Stage& stage, Pipeline& pipeline) {
  const WeightFile content = load_safetensors(file);
  WeightFile weights;
  for (const NamedTensor& tensor : content.tensors) {
    const std::string role = tensor.name.substr(0, tensor.name.find('/'));
    if (role + "/" == series_prefix || (trains(stage, role) && !pipeline.part(role))) continue;
    weights.tensors.push_back(tensor);
  }
  copy_weights(weights, saved_tensors(stage, pipeline), file.string());
  return read_record(content, file);
}

StageRecord train_stage(const Stage& stage, std::uint64_t seed, Pipeline& pipeline, const TrainingData& data,
                        FeatureTable& features, const fs::path& folder) {
  const fs::path done = stage_weights(folder);
  if (fs::exists(done)) {
    StageRecord record = load_stage_weights(done, stage, pipeline);
    if (fs::exists(seconds_file(folder)))
      record.seconds = std::strtod(read_text(seconds_file(folder)).c_str(), nullptr);
    return record;
  }
  create_folder(folder);
  return Trainer(stage, seed, pipeline, data, features, folder).run();
}

}  // namespace blip3u
