#include "program.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "blip3u/error.h"
#include "eval/records.h"
#include "io/installation.h"
#include "io/say.h"
#include "recipe/recipe.h"
#include "running/open_run.h"
#include "running/run_directory.h"
#include "training/stage_key.h"

namespace blip3u {

Registry open_registry(const Program& program) {
  Registry registry(default_plugin_folders());
  for (const auto& folder : program.plugin_folders) registry.add_folder(folder);
  return registry;
}

std::filesystem::path choose_run(const std::filesystem::path& given) {
  if (!given.empty()) return given;
  std::filesystem::path latest;
  std::string latest_finish;
  if (std::filesystem::is_directory("runs")) {
    for (const auto& entry : std::filesystem::directory_iterator("runs")) {
      if (!std::filesystem::exists(entry.path() / "manifest.json")) continue;
      nlohmann::json manifest;
      try {
        manifest = RunDirectory(entry.path()).manifest();
      } catch (const Error&) {
        continue;  // a damaged manifest is not that of a complete run
      }
      if (!manifest.is_object() || !is_complete(manifest, false)) continue;
      const std::string finish = manifest.value("finished", "");
      if (latest.empty() || finish > latest_finish) {
        latest = entry.path();
        latest_finish = finish;
      }
    }
  }
  if (const auto shipped = shipped_run(); latest.empty() && std::filesystem::exists(shipped / "resolved.yaml")) {
    say(fmt::format("blip3u: using the model that comes with the program, {}", shipped.string()));
    return std::filesystem::canonical(shipped);
  }
  if (latest.empty()) {
    throw Error(Fault::usage, fmt::format("no complete run in {}; make one with `blip3u run RECIPE`, or name a run "
                                          "directory with --run",
                                          std::filesystem::absolute("runs").string()));
  }
  say(fmt::format("blip3u: using the latest run, {}", latest.string()));
  return latest;
}

void add_recipe_options(CLI::App& verb, const std::string& name, RecipeOptions& recipe) {
  verb.add_option(name, recipe.file, "The recipe, a YAML file")->type_name("RECIPE")->required();
  verb.add_option("overrides", recipe.overrides, "Changes to the recipe, e.g. pipeline.sampler.plugin=ddpm")
      ->type_name("path.to.key=value");
}

std::filesystem::path run_recipe(const Program& program, const RecipeOptions& recipe, RunOptions options) {
  options.arguments = program.arguments;
  Registry registry = open_registry(program);
  const Recipe loaded = load_recipe(recipe.file, recipe.overrides, registry, program.plugin_folders);
  if (options.trained && training_key(loaded) != training_key(recipe_of(*options.trained, registry))) {
    throw Error(Fault::usage, fmt::format("{}: trains otherwise than {}, whose weights it is to take; begin it with "
                                          "`base: {}` and change only what training does not read",
                                          recipe.file.string(), options.trained->string(),
                                          (*options.trained / "resolved.yaml").string()));
  }
  return run_recipe(loaded, options);
}

void add_run_option(CLI::App& verb, std::filesystem::path& run) {
  verb.add_option(
          "--run", run,
          "Run directory to use; without it, the run below ./runs that was completed last, or else the model that\n"
          "comes with the program")
      ->type_name("DIR");
}

void print_scores(const std::filesystem::path& run, const std::string& task) {
  std::vector<eval::TaskRecord> tasks = eval::read_task_records(run);
  if (!task.empty())
    std::erase_if(tasks, [&](const auto& each) { return each.name != task && short_name(each.name) != task; });
  std::vector<Score> scores;
  for (const auto& each : tasks) {
    if (!each.reason.empty()) fmt::print("{}: not applicable, {}\n", each.name, each.reason);
    scores.insert(scores.end(), each.scores.begin(), each.scores.end());
  }
  print_scores(scores);
}

void print_scores(std::span<const Score> scores) {
  std::size_t width = 0;
  for (const Score& score : scores) width = std::max(width, score.name.size());
  for (const Score& score : scores) {
    fmt::print("{:<{}}  {:.4f}  [{:.4f}, {:.4f}]  n={}  {}{}\n", score.name, width, score.value, score.low, score.high,
               score.count, score.protocol, score.reference ? "  (reference)" : "");
  }
}

}  // namespace blip3u
