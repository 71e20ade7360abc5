// `plugins new` writes a whole project or nothing. That the projects build and pass is a test of its own
// (tests/packaging).
#include <algorithm>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "blip3u/plugin.h"
#include "cli/support.h"

namespace blip3u::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class NewPlugin : public ::testing::Test {
 protected:
  Outcome write(const std::string& folder, const std::string& kind, const std::string& name) const {
    return call({"plugins", "new", folder, "--kind", kind, "--name", name}, folder_.path());
  }
  std::string text(const std::string& file) const { return content_of(folder_.path() / file); }

  /// The value of a key that stands alone on its line of a recipe.
  std::string value_in(const std::string& recipe, const std::string& key) const {
    std::smatch found;
    const std::string content = text(recipe);
    return std::regex_search(content, found, std::regex("\n *" + key + ": (.*)\n")) ? found[1].str() : "";
  }

  const TemporaryFolder folder_{"blip3u-cli-new-plugin"};
};

class EachKind : public NewPlugin, public ::testing::WithParamInterface<std::string> {};

TEST_P(EachKind, IsAWholeProject) {
  const std::string kind = GetParam();
  const Outcome outcome = write("project", kind, "acme/my_own");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder_.path() / "project")) {
    files.push_back(entry.path().filename().string());
    const std::string content = content_of(entry.path());
    EXPECT_FALSE(std::regex_search(content, std::regex("@[A-Za-z]+@"))) << "a placeholder is left in " << files.back();
    EXPECT_FALSE(content.empty()) << files.back();
  }
  std::sort(files.begin(), files.end());
  EXPECT_THAT(files, ElementsAre(".gitignore", "CMakeLists.txt", "README.md", "my_own.cpp", "recipe.yaml"));

  EXPECT_THAT(text("project/my_own.cpp"),
              AllOf(StartsWith("// " + kind + " acme/my_own: "), HasSubstr("class MyOwn"),
                    HasSubstr(".kind = blip3u::Kind::" + kind + ","), HasSubstr(".name = \"my_own\","),
                    HasSubstr("BLIP3U_PLUGIN(\"acme\", ")));
  EXPECT_THAT(text("project/CMakeLists.txt"), HasSubstr("blip3u_add_plugin(acme SOURCES my_own.cpp)"));
  EXPECT_THAT(text("project/README.md"), HasSubstr(kind + " `acme/my_own`"));

  // The recipe uses the component, and is otherwise the toolkit's.
  EXPECT_THAT(text("project/recipe.yaml"), HasSubstr("\nname: my_own\n"));
  if (kind == "task") {
    EXPECT_THAT(text("project/recipe.yaml"), EndsWith("\n  - acme/my_own\n"));
  } else {
    EXPECT_EQ(value_in("project/recipe.yaml", kind == "dataset" ? "data" : kind), "acme/my_own");
  }
  if (kind != "sampler") {
    EXPECT_THAT(value_in("project/recipe.yaml", "sampler"), HasSubstr("plugin: flow_matching"));
  }
}

std::vector<std::string> all_kinds() {
  std::vector<std::string> kinds;
  for (int kind = 0; kind <= static_cast<int>(Kind::task); ++kind)
    kinds.emplace_back(kind_name(static_cast<Kind>(kind)));
  return kinds;
}

INSTANTIATE_TEST_SUITE_P(NewPlugin, EachKind, ::testing::ValuesIn(all_kinds()),
                         [](const auto& each) { return each.param; });

TEST_F(NewPlugin, ItsRecipeIsOneWithTheToolkitsOwnComponents) {
  ASSERT_EQ(write("project", "sampler", "heun").code, 0);
  std::string recipe = text("project/recipe.yaml");
  recipe = std::regex_replace(recipe, std::regex("sampler: heun\n"), "sampler: flow_matching\n");
  folder_.write("recipe.yaml", recipe);
  const Outcome outcome = call({"validate", "recipe.yaml"}, folder_.path());
  EXPECT_EQ(outcome.code, 0) << outcome.err;
}

TEST_F(NewPlugin, PrintsTheCommandsThatComeNext) {
  const Outcome outcome = write("my project", "sampler", "acme/heun");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  std::istringstream lines(outcome.out);
  std::vector<std::string> commands;
  for (std::string line; std::getline(lines, line);) commands.push_back(line);
  const fs::path program = fs::canonical(BLIP3U_PROGRAM);
  EXPECT_THAT(commands,
              ElementsAre("cd 'my project'",
                          "cmake -B build -DCMAKE_PREFIX_PATH=" + program.parent_path().parent_path().string(),
                          "cmake --build build", "ctest --test-dir build --output-on-failure",
                          program.string() + " plugins verify build/acme.so",
                          program.string() + " run recipe.yaml --plugins build"));
}

TEST_F(NewPlugin, ANameWithoutASlashIsTheLibrarysToo) {
  ASSERT_EQ(write("project", "decoder", "heun2_x").code, 0);
  EXPECT_THAT(text("project/heun2_x.cpp"), AllOf(HasSubstr("class Heun2X"), HasSubstr("BLIP3U_PLUGIN(\"heun2_x\", ")));
  EXPECT_EQ(value_in("project/recipe.yaml", "decoder"), "heun2_x");
}

TEST_F(NewPlugin, AnEmptyFolderWillDo) {
  fs::create_directory(folder_.path() / "empty");
  EXPECT_EQ(write("empty/", "task", "acme/colours").code, 0);
  EXPECT_TRUE(fs::exists(folder_.path() / "empty/colours.cpp"));
  EXPECT_EQ(write("new/below", "task", "acme/colours").code, 0);
  EXPECT_TRUE(fs::exists(folder_.path() / "new/below/colours.cpp"));
}

TEST_F(NewPlugin, RefusalsLeaveNothing) {
  folder_.write("full/.hidden", "");
  folder_.write("file", "");
  const auto expect_refused = [&](const std::string& folder, const std::string& kind, const std::string& name,
                                  const std::string& reason) { expect_refusal(write(folder, kind, name), 2, reason); };
  expect_refused("x", "samplr", "acme/heun", "there is no such kind; did you mean `sampler`?");
  expect_refused("x", "network", "acme/heun", "known kinds: encoder, backbone, denoiser, sampler, guidance, ");
  for (const char* name :
       {"Acme/heun", "acme/Heun", "acme/2heun", "acme/", "/heun", "acme/heun/x", "acme-heun", "../x"}) {
    expect_refused("x", "sampler", name, "is not well formed");
  }
  expect_refused("x", "sampler", "clip/heun", "there is a library `clip` already");
  expect_refused("full", "sampler", "acme/heun", "full: is not empty");
  expect_refused("file", "sampler", "acme/heun", "file: is a file");
  EXPECT_EQ(folder_.entries(), 2U) << "a refusal wrote something";
  fs::create_directory(folder_.path() / "here");
  expect_refusal(call({"plugins", "new", ".", "--kind", "task", "--name", "acme/x"}, folder_.path() / "here"), 2,
                 "is the folder you are in");
  EXPECT_TRUE(fs::is_empty(folder_.path() / "here"));
  EXPECT_THAT(call({"plugins", "new", "x", "--kind", "task"}, folder_.path()).err, HasSubstr("--name is required"));
}

}  // namespace
}  // namespace blip3u::testing
