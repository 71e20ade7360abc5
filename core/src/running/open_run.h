// A finished run, ready to answer.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "blip3u/model.h"
#include "blip3u/tokenizer.h"
#include "recipe/recipe.h"

namespace blip3u {

/// The recipe that a run directory holds. Overrides may change what needs no training (sampler settings, device).
BLIP3U_API Recipe recipe_of(const std::filesystem::path& run_directory, Catalog& catalog,
                            const std::vector<std::string>& overrides = {});

struct OpenedRun {
  Recipe recipe;
  std::unique_ptr<Model> model;
  const Tokenizer* tokenizer;        ///< the model's
  std::vector<std::string> classes;  ///< of the data set it was trained on; may be empty
};

/// Builds the parts of a run's pipeline that serve `ability`, with their trained weights; the model can do nothing
/// else. Without one builds all. Needs nothing but the directory and the plugins.
BLIP3U_API OpenedRun open_run(const std::filesystem::path& run_directory, Recipe recipe,
                              std::optional<Model::Ability> ability);

/// The same with the recipe that the directory holds.
BLIP3U_API OpenedRun open_run(const std::filesystem::path& run_directory, Catalog& catalog,
                              const std::vector<std::string>& overrides, Model::Ability ability);

}  // namespace blip3u
