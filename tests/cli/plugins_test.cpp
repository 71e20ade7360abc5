// `plugins list` and `plugins inspect`, with libraries copied to a folder of the test's own.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "blip3u/build_stamp.h"
#include "cli/support.h"

namespace blip3u::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Plugins : public ::testing::Test {
 protected:
  void add(const std::string& name) {
    const auto file = std::filesystem::path(BLIP3U_BUILD_DIR) / "broken_plugins" / name / (name + ".so");
    std::filesystem::copy_file(file, folder_.path() / (name + ".so"));
  }
  Outcome plugins(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "plugins");
    return call(arguments, "/", {"BLIP3U_PLUGIN_PATH=" + folder_.path().string()});
  }
  TemporaryFolder folder_{"blip3u-cli-plugins"};
};

TEST_F(Plugins, ListShowsLibrariesAndFailures) {
  add("sound");
  add("twins");
  const Outcome outcome = plugins({"list"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, IsEmpty());
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("sound"), HasSubstr("1.2.3"), HasSubstr("sampler: sound"), HasSubstr("decoder: sound"),
                    HasSubstr("task: sound/other"), HasSubstr((folder_.path() / "sound.so").string())));
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("twins"), HasSubstr("FAILED"), HasSubstr("two components")));
}

TEST_F(Plugins, TheProgramHasNoComponentsOfItsOwn) {
  for (const auto& file : std::filesystem::directory_iterator(BLIP3U_PLUGIN_FOLDER)) {
    std::filesystem::create_symlink(file.path(), folder_.path() / file.path().filename());
  }
  const std::string before = plugins({"list"}).out;
  EXPECT_THAT(before, AllOf(HasSubstr("encoder: clip"), HasSubstr("sampler: flow_matching")));
  EXPECT_THAT(before, Not(HasSubstr("FAILED")));
  std::filesystem::remove(folder_.path() / "clip.so");
  const std::string after = plugins({"list"}).out;
  EXPECT_THAT(after,
              AllOf(Not(HasSubstr("encoder: clip")), Not(HasSubstr("/clip.so")), HasSubstr("sampler: flow_matching")));
  EXPECT_EQ(plugins({"inspect", "clip"}).code, 2);
  for (const auto& file : std::filesystem::directory_iterator(folder_.path())) std::filesystem::remove(file.path());
  EXPECT_THAT(plugins({"list"}).out, IsEmpty());
}

TEST_F(Plugins, InspectAsJsonTellsEverything) {
  add("sound");
  const Outcome outcome = plugins({"inspect", "sound", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto found = nlohmann::json::parse(outcome.out);
  ASSERT_EQ(found.size(), 2U) << "the name is a sampler and a decoder";
  const auto& sampler = found[0];
  EXPECT_EQ(sampler["kind"], "sampler");
  EXPECT_EQ(found[1]["kind"], "decoder");
  EXPECT_EQ(sampler["summary"], "A sampler for tests.");
  EXPECT_EQ(sampler["provides"], nlohmann::json({"stream"}));
  EXPECT_EQ(sampler["library"]["file"], (folder_.path() / "sound.so").string());
  EXPECT_EQ(sampler["library"]["build"], BLIP3U_BUILD_STAMP);
  EXPECT_EQ(sampler["library"]["version"], "1.2.3");
  EXPECT_EQ(sampler["library"]["license"], "Apache-2.0");
  EXPECT_EQ(sampler["library"]["sha256"].get<std::string>().size(), 64U);
  const auto& parameters = sampler["parameters"];
  ASSERT_EQ(parameters.size(), 6U);
  EXPECT_EQ(parameters[0]["default"], true);
  EXPECT_EQ(parameters[1], nlohmann::json::parse(R"({"name": "steps", "type": "integer", "required": false,
      "default": 30, "minimum": 1, "maximum": 1000, "choices": [], "documentation": "Steps of the solver."})"));
  EXPECT_EQ(parameters[2]["default"], 2.5);
  EXPECT_EQ(parameters[3]["choices"], nlohmann::json({"euler", "heun"}));
  EXPECT_EQ(parameters[4]["default"], nlohmann::json({"euler", "heun"}));
  EXPECT_EQ(parameters[5]["required"], true);
  EXPECT_TRUE(parameters[5]["default"].is_null());
}

TEST_F(Plugins, InspectForPeople) {
  add("sound");
  const Outcome outcome = plugins({"inspect", "sound/other"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("task sound/other\n"), HasSubstr("provides: nothing\n"),
                                 HasSubstr("parameters: none\n"), HasSubstr("version: 1.2.3\n")));
  EXPECT_THAT(plugins({"inspect", "sound"}).out,
              HasSubstr("  steps (integer, default 30, from 1, to 1000)\n      Steps of the solver.\n"));
}

TEST_F(Plugins, InspectOfAnUnknownNameSuggests) {
  add("sound");
  const Outcome outcome = plugins({"inspect", "sond"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(outcome.err, HasSubstr("no plugin component `sond`; did you mean `sound`?"));
}

TEST_F(Plugins, ABrokenLibraryIsAPluginFault) {
  add("twins");
  const Outcome outcome = plugins({"inspect", "twins/heun"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("two components"));
}

TEST_F(Plugins, MoreFoldersByOption) {
  const TemporaryFolder more("blip3u-cli-more");
  add("sound");
  std::filesystem::rename(folder_.path() / "sound.so", more.path() / "sound.so");
  EXPECT_THAT(plugins({"list"}).out, IsEmpty());
  EXPECT_THAT(plugins({"list", "--plugins", more.path().string()}).out, HasSubstr("sampler: sound"));
  add("sound");
  EXPECT_THAT(plugins({"list", "--plugins", more.path().string()}).out, HasSubstr("two libraries named sound"));
  const Outcome outcome = plugins({"list", "--plugins", "/absent"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("/absent: no such plugin folder"));
}

}  // namespace
}  // namespace blip3u::testing
