// What the documents say of recipes and components is true of the program.
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/support.h"
#include "io/files.h"
#include "recipe/recipe.h"
#include "registry/registry.h"
#include "temporary_folder.h"

namespace blip3u::testing {
namespace {

namespace fs = std::filesystem;

const fs::path source = BLIP3U_SOURCE_DIR;

/// The words of a command, as a shell sees them; a comment ends it.
std::vector<std::string> words(const std::string& command) {
  std::vector<std::string> result{""};
  bool quoted = false;
  for (const char character : command) {
    if (character == '#' && !quoted) break;
    if (character == '\'') {
      quoted = !quoted;
    } else if (character != ' ' || quoted) {
      result.back() += character;
    } else if (!result.back().empty()) {
      result.emplace_back();
    }
  }
  if (result.back().empty()) result.pop_back();
  return result;
}

TEST(Documents, TheRunsOfTheReadmeFitTogether) {
  Registry registry({BLIP3U_PLUGIN_FOLDER});
  std::istringstream readme(read_text(source / "README.md"));
  const std::string start = "./blip3u run recipes/easy_vqa.yaml";
  int commands = 0;
  for (std::string line; std::getline(readme, line);) {
    if (!line.starts_with(start)) continue;
    ++commands;
    EXPECT_NO_THROW(load_recipe(source / "recipes/easy_vqa.yaml", words(line.substr(start.size())), registry)) << line;
  }
  EXPECT_GE(commands, 3);
}

TEST(Documents, TheExamplesOfTheRecipesReadmeAreRecipes) {
  Registry registry({BLIP3U_PLUGIN_FOLDER});
  const std::string readme = read_text(source / "recipes/README.md");
  const TemporaryFolder folder("blip3u-documents");
  std::smatch block;
  ASSERT_TRUE(std::regex_search(readme, block, std::regex("```yaml\n([^`]*)```")));
  folder.write("whole.yaml", block[1]);
  EXPECT_NO_THROW(load_recipe(folder.path() / "whole.yaml", {}, registry));

  ASSERT_TRUE(std::regex_search(readme, block, std::regex("```\n(seed=3 [^`]*)```")));
  std::istringstream lines(block[1]);
  int overrides = 0;
  for (std::string line; std::getline(lines, line);) {
    std::vector<std::string> together = words(line);
    std::erase_if(together, [](const std::string& word) { return word.starts_with("plugin_folders="); });  // a reader's
    EXPECT_NO_THROW(load_recipe(folder.path() / "whole.yaml", together, registry)) << line;
    overrides += static_cast<int>(together.size());
  }
  EXPECT_GE(overrides, 7);
}

// The five designs of the comparison, each as an override of the default.
TEST(Documents, TheDesignsToCompareFitTogether) {
  Registry registry({BLIP3U_PLUGIN_FOLDER});
  for (const std::vector<std::string>& design : std::vector<std::vector<std::string>>{
           {"pipeline.sampler.plugin=regression"},
           {"pipeline.sampler.plugin=ddpm"},
           {"pipeline.denoiser.plugin=mlp"},
           {"pipeline.encoder.plugin=vae", "pipeline.encoder.grid=4", "pipeline.decoder.plugin=vae"},
           {"pipeline.encoder.plugin=pixels", "pipeline.encoder.grid=4", "pipeline.decoder.plugin=pixels"}}) {
    EXPECT_NO_THROW(load_recipe(source / "recipes/easy_vqa.yaml", design, registry)) << design.front();
  }
}

TEST(Documents, ComponentsAreAsTheProgramPrintsThem) {
  const Outcome printed = call({"plugins", "inspect", "--markdown"}, fs::current_path());
  ASSERT_EQ(printed.code, 0) << printed.err;
  const std::string document = read_text(source / "recipes/COMPONENTS.md");
  EXPECT_EQ(document.substr(document.find("\n## ") + 1), printed.out.substr(printed.out.find("## ")))
      << "recipes/COMPONENTS.md is out of date; its head says how it is made anew";
}

}  // namespace
}  // namespace blip3u::testing
