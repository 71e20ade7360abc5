// A catalog of hand-made descriptors, so that recipes can be checked without any plugin library.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "blip3u/error.h"
#include "recipe/catalog.h"
#include "recipe/recipe.h"

namespace recipe_test {

/// Knows dataset `shapes`; tokenizer `words`; encoders `clip`, which has losses, and `pixels`; backbone `gpt`;
/// denoisers `dit`, `mlp`; samplers `flow_matching`, `ddpm`, `acme/heun`; decoders `unclip`, `patch_decoder`; tasks
/// `tasks/vqa`, `tasks/generation`. Against their contracts, `mute` (encoder, backbone) does not say what it
/// makes, and the check of sampler `hasty` throws. Library `broken` cannot be loaded.
class FakeCatalog : public blip3u::Catalog {
 public:
  blip3u::CatalogEntry find(blip3u::Kind kind, std::string_view name) override;
  std::vector<std::string> names(blip3u::Kind kind) override;
  void add_folder(const std::filesystem::path& folder) override;

  std::vector<std::string> folders;
  std::string hash_suffix;  ///< changes the hash of every library
};

/// A recipe without fault. Tests change it by text.
extern const char* const good_recipe;

class RecipeTest : public testing::Test {
 protected:
  RecipeTest();
  ~RecipeTest() override;

  /// Writes a file into the test's own folder, which is the current directory; returns its name.
  std::string write(const std::string& text, const std::string& name = "r.yaml");

  /// The good recipe with `from`, which must be in it once, replaced.
  static std::string changed(const std::string& from, const std::string& to);

  blip3u::Recipe load(const std::string& text, const std::vector<std::string>& overrides = {});

  /// The message that the text is refused with, for this kind of fault. Empty if it is accepted.
  std::string refusal(const std::string& text, const std::vector<std::string>& overrides = {},
                      blip3u::Fault fault = blip3u::Fault::usage);
  std::string file_refusal(const std::string& file, const std::vector<std::string>& overrides = {},
                           blip3u::Fault fault = blip3u::Fault::usage);

  FakeCatalog catalog_;

 private:
  std::filesystem::path before_;
  std::filesystem::path folder_;
};

}  // namespace recipe_test
