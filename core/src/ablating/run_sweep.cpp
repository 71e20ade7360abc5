#include "ablating/run_sweep.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <sstream>
#include <thread>

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "blip3u/error.h"
#include "io/child.h"
#include "io/files.h"
#include "io/interrupt.h"
#include "io/json_file.h"
#include "io/lock.h"
#include "io/progress.h"
#include "io/say.h"
#include "recipe/suggest.h"
#include "training/stage.h"

namespace blip3u {

namespace fs = std::filesystem;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

namespace {

/// What the program said last as an error, from its log.
std::string last_error(const fs::path& log) {
  if (!fs::exists(log)) return {};
  const std::string text = read_text(log);
  const std::string mark = "blip3u: ";
  auto at = text.rfind('\n' + mark);
  if (at == std::string::npos)
    at = text.starts_with(mark) ? 0 : std::string::npos;
  else
    ++at;
  std::string message = at == std::string::npos ? std::string() : text.substr(at + mark.size());
  while (message.ends_with('\n')) message.pop_back();
  return message.substr(0, 2000);
}

std::string why(int code, const fs::path& log) {
  std::string message = last_error(log);
  if (code > 128) message = fmt::format("ended by signal {}{}{}", code - 128, message.empty() ? "" : ": ", message);
  if (code == 128 + 9) message += "; was there enough memory?";
  if (message.empty()) message = fmt::format("ended with code {}", code);
  return message;
}

/// How the recipes of a point in two sweeps differ, line by line; few lines of it.
std::string differences(const fs::path& before, const fs::path& now) {
  std::istringstream one(read_text(before)), two(read_text(now));
  std::string text, left, right;
  int shown = 0;
  while (true) {
    const bool has_left = static_cast<bool>(std::getline(one, left)),
               has_right = static_cast<bool>(std::getline(two, right));
    if (!has_left && !has_right) break;
    if (has_left && has_right && left == right) continue;
    if (shown++ == 4) return text + "    …\n";
    if (has_left) text += "    - " + left + "\n";
    if (has_right) text += "    + " + right + "\n";
  }
  return text.empty() ? "    the same, with a plugin that was built anew\n" : text;
}

/// Tells of the sweep of that name that was begun last, if it is another.
void tell_of_another(const Sweep& sweep, const SweepPlan& plan) {
  fs::path latest;
  fs::file_time_type time;
  if (!fs::is_directory(sweep.output)) return;
  for (const auto& entry : fs::directory_iterator(sweep.output)) {
    const fs::path record = entry.path() / "sweep.json";
    if (!entry.path().filename().string().starts_with(sweep.name + "-ablation-") || !fs::exists(record)) continue;
    if (latest.empty() || fs::last_write_time(record) > time) {
      latest = entry.path();
      time = fs::last_write_time(record);
    }
  }
  if (latest.empty() || fs::weakly_canonical(latest) == fs::weakly_canonical(plan.directory)) return;
  std::string text;
  for (const PlannedRun& run : plan.runs) {
    const fs::path before = latest / "recipes" / run.recipe.filename();
    if (!fs::exists(before)) {
      text = fmt::format("  {} was not in it\n", title_of(sweep, run));
      break;
    }
    if (read_text(before) == sweep.points[run.point].recipes[run.seed].resolved) continue;
    text = fmt::format("  {}:\n{}", title_of(sweep, run), differences(before, run.recipe));
    break;
  }
  say(
      fmt::format("blip3u: this is another sweep than {}, which stays as it is; what both have in common is not done "
                  "again\n{}",
                  latest.string(), text));
}

bool has_label(const Sweep& sweep, const SweepPoint& point, const std::string& wanted) {
  if (point.name == wanted) return true;
  for (std::size_t axis = 0; axis < sweep.axes.size(); ++axis) {
    const std::string& label = sweep.axes[axis].labels[point.labels[axis]];
    if (wanted == label || wanted == fmt::format("{}={}", sweep.axes[axis].name, label)) return true;
  }
  return false;
}

/// The points that have all labels.
std::vector<bool> chosen_points(const Sweep& sweep, const std::vector<std::string>& only) {
  std::vector<bool> chosen(sweep.points.size(), true);
  for (const std::string& wanted : only) {
    bool any = false;
    for (std::size_t point = 0; point < sweep.points.size(); ++point) {
      const bool has = has_label(sweep, sweep.points[point], wanted);
      any = any || has;
      chosen[point] = chosen[point] && has;
    }
    if (any) continue;
    std::vector<std::string> known;
    for (const SweepAxis& axis : sweep.axes) {
      for (const std::string& label : axis.labels) known.push_back(axis.name + '=' + label);
    }
    throw Error(Fault::usage,
                fmt::format("--only: no point has the label `{}`{}", wanted, suggest(wanted, known, "labels")));
  }
  if (std::ranges::find(chosen, true) == chosen.end())
    throw Error(Fault::usage, "--only: no point has all these labels");
  return chosen;
}

class SweepRunner {
 public:
  SweepRunner(const Sweep& sweep, SweepPlan& plan, const SweepOptions& options)
      : sweep_(sweep), plan_(plan), options_(options), states_(plan.runs.size(), {"waiting", ""}) {
    const std::vector<bool> chosen = chosen_points(sweep, options.only);
    for (std::size_t i = 0; i < plan.runs.size(); ++i) {
      if (plan.runs[i].done)
        states_[i].status = "complete";
      else if (chosen[plan.runs[i].point] && (!options.limit || pending_.size() < *options.limit))
        pending_.push_back(i);
    }
    total_ = pending_.size();
  }

  std::vector<RunState> run() {
    write_states();
    while (!pending_.empty() || !active_.empty()) {
      if (interrupted()) stop();
      while (active_.size() < options_.jobs && start_one()) {
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      for (std::size_t i = 0; i < active_.size();) {
        const auto code = active_[i].child->code();
        if (!code) {
          ++i;
          continue;
        }
        const Active ended = std::move(active_[i]);
        active_.erase(active_.begin() + static_cast<std::ptrdiff_t>(i));
        take(ended, *code);
      }
    }
    return states_;
  }

 private:
  struct Active {
    std::size_t run;
    Clock::time_point started;
    std::unique_ptr<Child> child;
  };

  fs::path log_of(const PlannedRun& run) const {
    return plan_.directory / "logs" / run.recipe.filename().replace_extension(".log");
  }

  /// Whether another process is training a stage that this run waits for.
  bool would_wait(std::size_t number) const {
    for (const std::size_t stage : plan_.runs[number].stages) {
      if (fs::exists(stage_weights(plan_.stages[stage].folder))) continue;
      for (const Active& active : active_) {
        if (std::ranges::find(plan_.runs[active.run].stages, stage) != plan_.runs[active.run].stages.end()) return true;
      }
    }
    return false;
  }

  bool start_one() {
    const auto next = std::ranges::find_if(pending_, [&](std::size_t number) { return !would_wait(number); });
    if (next == pending_.end()) return false;
    const std::size_t number = *next;
    pending_.erase(next);
    const PlannedRun& run = plan_.runs[number];
    std::vector<std::string> environment;
    if (options_.jobs > 1) {
      const auto threads = static_cast<std::size_t>(at::get_num_threads());
      environment.push_back(fmt::format("OMP_NUM_THREADS={}", std::max<std::size_t>(1, threads / options_.jobs)));
    }
    const fs::path log = log_of(run);
    create_folder(log.parent_path());
    fs::remove(log);
    active_.push_back(
        {number, Clock::now(), std::make_unique<Child>(command_of(sweep_, run, options_.program), log, environment)});
    return true;
  }

  void take(const Active& ended, int code) {
    PlannedRun& run = plan_.runs[ended.run];
    if (code == interrupted_exit_code || interrupted()) return stop();
    look_again(run);
    ++made_;
    const double seconds = std::chrono::duration<double>(Clock::now() - ended.started).count();
    RunState& state = states_[ended.run];
    if (!fs::is_directory(plan_.directory)) {
      throw Error(
          fmt::format("{}: the folder is gone; bring it back and give the same command again: what is in it is "
                      "not done again",
                      plan_.directory.string()));
    }
    if (code == 0 && run.done) {
      state = {"complete", ""};
    } else if (code == 0) {
      throw Error(Fault::plugin,
                  fmt::format("{}: ran well, but not as the run that was planned: a plugin was built anew "
                              "since the sweep began. Give the same command again: it is another sweep "
                              "then, and all runs have the same plugins",
                              title_of(sweep_, run)));
    } else {
      state = {"failed", why(code, log_of(run))};
    }
    write_states();
    const double left = (sum_ += seconds) / static_cast<double>(made_) * static_cast<double>(total_ - made_) /
                        static_cast<double>(std::min(options_.jobs, std::max<std::size_t>(1, total_ - made_)));
    say(fmt::format("run {} of {}: {}: {} in {}{}{}", made_, total_, title_of(sweep_, run), state.status,
                    duration_text(seconds), made_ < total_ ? fmt::format(", about {} left", duration_text(left)) : "",
                    state.message.empty() ? "" : "\n  " + state.message));
  }

  [[noreturn]] void stop() {
    for (Active& active : active_) active.child->end();
    active_.clear();  // waits for them
    throw Interrupted(
        fmt::format("interrupted with {} of {} runs of this sweep complete; the same command goes on from "
                    "there",
                    std::ranges::count(states_, "complete", &RunState::status), states_.size()));
  }

  void write_states() const {
    json list = json::array();
    for (std::size_t i = 0; i < states_.size(); ++i) {
      const PlannedRun& run = plan_.runs[i];
      list.push_back({{"point", run.point},
                      {"seed", sweep_.seeds[run.seed]},
                      {"directory", fs::absolute(run.directory).lexically_normal().string()},
                      {"recipe", fs::absolute(run.recipe).lexically_normal().string()},
                      {"status", states_[i].status},
                      {"message", states_[i].message}});
    }
    write_json(plan_.directory / "runs.json", {{"format", 1}, {"runs", list}});
  }

  const Sweep& sweep_;
  SweepPlan& plan_;
  const SweepOptions& options_;
  std::vector<RunState> states_;
  std::vector<std::size_t> pending_;
  std::vector<Active> active_;
  std::size_t total_ = 0, made_ = 0;
  double sum_ = 0;
};

}  // namespace

std::vector<std::string> command_of(const Sweep& sweep, const PlannedRun& run, const fs::path& program) {
  std::vector<std::string> command = {program.string(), "run", run.recipe.string()};
  if (!sweep.trained.empty()) command.insert(command.end(), {"--weights_from", sweep.trained.string()});
  return command;
}

void write_sweep(const Sweep& sweep, const SweepPlan& plan, const std::vector<std::string>& arguments) {
  const bool fresh = !fs::exists(plan.directory / "sweep.json");
  for (const PlannedRun& run : plan.runs) {
    const std::string& text = sweep.points[run.point].recipes[run.seed].resolved;
    if (!fs::exists(run.recipe) || read_text(run.recipe) != text) write_atomically(run.recipe, text);
  }
  if (fresh) tell_of_another(sweep, plan);
  json axes = json::array(), points = json::array(), left_out = json::array();
  for (const SweepAxis& axis : sweep.axes) axes.push_back({{"name", axis.name}, {"labels", axis.labels}});
  for (const SweepPoint& point : sweep.points) points.push_back({{"name", point.name}, {"labels", point.labels}});
  for (const LeftOutPoint& point : sweep.left_out) left_out.push_back({{"name", point.name}, {"reason", point.reason}});
  const json record = {
      {"format", 1},      {"name", sweep.name},   {"hash", sweep.hash},     {"design", sweep.design},
      {"axes", axes},     {"seeds", sweep.seeds}, {"scores", sweep.scores}, {"weights_from", sweep.trained.string()},
      {"points", points}, {"left_out", left_out}, {"arguments", arguments}};
  write_json(plan.directory / "sweep.json", record);
}

std::vector<RunState> run_sweep(const Sweep& sweep, SweepPlan& plan, const SweepOptions& options) {
  const FileLock lock(plan.directory / ".lock");
  look_again(plan);
  return SweepRunner(sweep, plan, options).run();
}

}  // namespace blip3u
