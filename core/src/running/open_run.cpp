#include "running/open_run.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "blip3u/error.h"
#include "io/installation.h"
#include "io/say.h"
#include "pipeline/create.h"
#include "pipeline/device.h"
#include "pipeline/pipeline.h"
#include "running/run_directory.h"
#include "training/stage.h"

namespace blip3u {

namespace {

/// Weights say nothing of the code that uses them, so a plugin that was built anew may answer otherwise. The model that
/// comes with the program was never trained by these files.
void warn_of_other_plugins(const Recipe& recipe, const RunDirectory& directory) {
  std::error_code absent;
  if (std::filesystem::equivalent(directory.path(), shipped_run(), absent)) return;
  const nlohmann::json manifest = directory.manifest();
  std::map<std::string, std::string> hashes;
  for (const nlohmann::json& plugin : manifest.value("plugins", nlohmann::json::array())) {
    hashes[plugin.value("name", "")] = plugin.value("sha256", "");
  }
  for (const auto& [role, choice] : recipe.pipeline.parts) {
    const auto trained = hashes.find(choice.name);
    if (trained == hashes.end() || trained->second == choice.entry.library_hash) continue;
    say(fmt::format("blip3u: {}: {} `{}` was built anew since this run was trained, and may give other results",
                    directory.path().string(), role, choice.name));
  }
}

/// Whether a later stage trains all that a stage did, so that nothing is left of what it learned but what the later one
/// made of it.
bool overtaken(const std::vector<Stage>& stages, std::size_t place, const PipelineChoices& pipeline) {
  const auto links = learned_links(stages[place], pipeline);
  return std::any_of(stages.begin() + static_cast<std::ptrdiff_t>(place) + 1, stages.end(), [&](const Stage& later) {
    const auto whole = trained_parts(later);
    return std::ranges::all_of(trained_parts(stages[place]),
                               [&](const TrainedPart& part) {
                                 return std::ranges::any_of(whole, [&](const TrainedPart& other) {
                                   return other.role == part.role && other.pattern == "*";
                                 });
                               }) &&
           std::ranges::includes(learned_links(later, pipeline), links);
  });
}

}  // namespace

Recipe recipe_of(const std::filesystem::path& run_directory, Catalog& catalog,
                 const std::vector<std::string>& overrides) {
  const RunDirectory directory(run_directory);
  if (!std::filesystem::exists(directory.recipe_file())) {
    throw Error(fmt::format("{}: not a run directory (it has no resolved.yaml); make one with `blip3u run RECIPE`",
                            run_directory.string()));
  }
  return load_recipe(directory.recipe_file(), overrides, catalog);
}

OpenedRun open_run(const std::filesystem::path& run_directory, Recipe recipe, std::optional<Model::Ability> ability) {
  const RunDirectory directory(run_directory);
  warn_of_other_plugins(recipe, directory);
  auto tokenizer = make_tokenizer(recipe);
  std::vector<std::string> classes = directory.read_texts(*tokenizer);
  std::optional<Pipeline::Parts> parts;
  if (ability) parts = Pipeline::parts_for(recipe.pipeline, *ability);
  auto pipeline = std::make_unique<Pipeline>(recipe, std::move(tokenizer), open_device(recipe.device), parts);
  for (std::size_t place = 0; place < recipe.stages.size(); ++place) {
    const Stage& stage = recipe.stages[place];
    if (!trains_anything(stage, *pipeline)) continue;
    const std::filesystem::path weights = directory.checkpoint(stage.name);
    if (!std::filesystem::exists(weights)) {
      if (overtaken(recipe.stages, place, recipe.pipeline)) continue;  // left out, to be smaller
      throw Error(fmt::format("{}: stage `{}` is not trained yet; `blip3u run` its recipe first",
                              run_directory.string(), stage.name));
    }
    load_stage_weights(weights, stage, *pipeline);
  }
  const Tokenizer* const words = &pipeline->tokenizer();
  return {std::move(recipe), std::move(pipeline), words, std::move(classes)};
}

OpenedRun open_run(const std::filesystem::path& run_directory, Catalog& catalog,
                   const std::vector<std::string>& overrides, Model::Ability ability) {
  return open_run(run_directory, recipe_of(run_directory, catalog, overrides), ability);
}

}  // namespace blip3u
