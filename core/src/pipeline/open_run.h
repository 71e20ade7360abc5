// A finished run, ready to answer.
#pragma once

#include <filesystem>
#include <memory>
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
/// Overrides may change what needs no training (sampler settings, device).
BLIP3U_API OpenedRun open_run(const std::filesystem::path& run_directory, Catalog& catalog,
                              const std::vector<std::string>& overrides);

}  // namespace blip3u
