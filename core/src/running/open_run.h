// A finished run, ready to answer.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "blip3u/model.h"
#include "recipe/recipe.h"

namespace blip3u {

struct OpenedRun {
  Recipe recipe;
  std::unique_ptr<Model> model;
  std::vector<std::string> classes;  ///< of the data set it was trained on; may be empty
};

/// Builds the pipeline of a run directory with its trained weights; needs nothing but the directory and the plugins.
/// Overrides may change what needs no training (sampler settings, device). With `ability` it builds and loads only the
/// parts that serve it, and the model can do nothing else.
BLIP3U_API OpenedRun open_run(const std::filesystem::path& run_directory, Catalog& catalog,
                              const std::vector<std::string>& overrides,
                              std::optional<Model::Ability> ability = std::nullopt);

}  // namespace blip3u
