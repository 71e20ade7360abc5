// The `ablate:` section of a recipe: what varies, and the points that this makes. recipes/README.md explains every key.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "recipe/recipe.h"

namespace blip3u {

/// What varies, and the labels of what it can be.
struct SweepAxis {
  std::string name;
  std::vector<std::string> labels;
};

/// One label of each axis, and the recipe that they make, for each seed.
struct SweepPoint {
  std::string name;                 ///< "features=vae,objective=flow"
  std::vector<std::size_t> labels;  ///< by axis
  std::vector<Recipe> recipes;      ///< by seed
};

struct LeftOutPoint {
  std::string name;
  std::string reason;
};

/// Every point resolved and checked.
struct Sweep {
  std::string name;  ///< of the recipe
  std::string design;
  std::vector<SweepAxis> axes;
  std::vector<std::uint64_t> seeds;
  std::vector<SweepPoint> points;  ///< the baseline comes first
  std::vector<LeftOutPoint> left_out;
  std::vector<std::string> scores;  ///< that are judged; none: all
  std::filesystem::path trained;    ///< the run whose weights all points take; empty: each trains its own
  std::filesystem::path output;
  std::string hash;  ///< hex, of all points, the baseline, the seeds and the weights
};

/// Whether the recipe or one of its bases has an `ablate:` section.
BLIP3U_API bool has_sweep(const std::filesystem::path& file);

/// Reads a recipe and its `ablate:` section. All that is wrong is reported as load_recipe() does: in the section, in
/// any point that is not left out, and where two points are one.
BLIP3U_API Sweep load_sweep(const std::filesystem::path& file, const std::vector<std::string>& overrides,
                            Catalog& catalog, const std::vector<std::filesystem::path>& more_plugin_folders = {});

}  // namespace blip3u
