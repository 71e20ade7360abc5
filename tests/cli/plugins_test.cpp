// `plugins list` and `plugins inspect`, with libraries copied to a folder of the test's own.
#include <algorithm>
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
  static std::filesystem::path built(const std::string& name) {
    return std::filesystem::path(BLIP3U_BUILD_DIR) / "broken_plugins" / name / (name + ".so");
  }
  std::filesystem::path library(const std::string& name) const { return folder_.path() / (name + ".so"); }
  void add(const std::string& name) { std::filesystem::copy_file(built(name), library(name)); }
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
                    HasSubstr("task: sound/other"), HasSubstr(library("sound").string())));
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("twins"), HasSubstr("FAILED"), HasSubstr("two components")));
}

TEST_F(Plugins, TheProgramHasNoComponentsOfItsOwn) {
  for (const auto& file : std::filesystem::directory_iterator(BLIP3U_PLUGIN_FOLDER)) {
    std::filesystem::create_symlink(file.path(), folder_.path() / file.path().filename());
  }
  const std::string before = plugins({"list"}).out;
  EXPECT_THAT(before, AllOf(HasSubstr("encoder: clip"), HasSubstr("sampler: flow_matching")));
  EXPECT_THAT(before, Not(HasSubstr("FAILED")));
  std::filesystem::remove(library("clip"));
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
  EXPECT_EQ(sampler["losses"], nlohmann::json({"flow"}));
  EXPECT_EQ(sampler["library"]["file"], library("sound").string());
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
              AllOf(HasSubstr("losses: flow\n"),
                    HasSubstr("  steps (integer, default 30, from 1, to 1000)\n      Steps of the solver.\n")));
}

TEST_F(Plugins, InspectOfAnUnknownNameSuggests) {
  add("sound");
  const Outcome outcome = plugins({"inspect", "sond"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(outcome.err, HasSubstr("no plugin component `sond`; did you mean `sound`?"));
}

TEST_F(Plugins, ARunWithABrokenLibraryIsAPluginFault) {
  add("twins");
  const TemporaryFolder place("blip3u-cli-run");
  const std::string recipe = BLIP3U_SOURCE_DIR "/recipes/easy_vqa.yaml";
  const Outcome outcome =
      call({"run", recipe, "pipeline.sampler.plugin=twins/heun", "--plugins", folder_.path().string()}, place.path());
  expect_refusal(outcome, 3, "sampler `twins/heun`: " + library("twins").string() + ": has two components");
  EXPECT_EQ(place.entries(), 0U);
}

TEST_F(Plugins, MoreFoldersByOption) {
  const TemporaryFolder more("blip3u-cli-more");
  add("sound");
  std::filesystem::rename(library("sound"), more.path() / "sound.so");
  EXPECT_THAT(plugins({"list"}).out, IsEmpty());
  EXPECT_THAT(plugins({"list", "--plugins", more.path().string()}).out, HasSubstr("sampler: sound"));
  add("sound");
  std::ofstream(library("sound"), std::ios::app) << "another build";
  EXPECT_THAT(plugins({"list", "--plugins", more.path().string()}).out, HasSubstr("two libraries named sound"));
  expect_refusal(plugins({"verify", "sound", "--plugins", more.path().string()}), 3, "two libraries named sound");
  const Outcome outcome = plugins({"list", "--plugins", "/absent"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("/absent: no such plugin folder"));
}

TEST_F(Plugins, VerifyNamesTheCheckInWhichALibraryCrashes) {
  const auto expect_named = [&](const std::string& kind, const std::string& name, const std::string& check,
                                const std::string& last_words = {}) {
    const Outcome outcome = plugins({"verify", BLIP3U_BUILD_DIR "/mutants/mutant_crashes.so", "--component", name});
    EXPECT_EQ(outcome.code, 3);
    EXPECT_EQ(outcome.err, last_words + "blip3u: " + kind + " mutant_crashes/" + name + " crashed in the check `" +
                               check + "`, or ended the program; run the same command in a debugger\n");
  };
  expect_named("tokenizer", "aborts", "round_trip", "its last words\n");
  expect_named("tokenizer", "exits", "round_trip");
#ifndef __SANITIZE_ADDRESS__  // which catches these itself
  expect_named("tokenizer", "recurses", "round_trip");
  expect_named("decoder", "divides", "defaults");
#endif
}

TEST_F(Plugins, VerifyShowsItsResultsEvenIfTheyCannotBeWritten) {
  const std::string words = std::string(BLIP3U_PLUGIN_FOLDER) + "/words.so";
  const Outcome outcome = plugins({"verify", words, "--json", "/dev/null/results.json"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, HasSubstr(" passed, 0 failed"));
  EXPECT_THAT(outcome.err, HasSubstr("/dev/null"));
}

/// What cannot be loaded: the libraries of tests/broken_plugins that are wrong before they are used, and three files.
std::vector<std::string> unloadable() {
  std::vector<std::string> names = {"dangling", "text", "truncated"};
  for (const auto& source : std::filesystem::directory_iterator(BLIP3U_SOURCE_DIR "/tests/broken_plugins")) {
    const std::string name = source.path().stem().string();
    const bool loads = name == "sound" || name == "throwing";
    if (source.path().extension() == ".cpp" && !loads) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

class Unloadable : public Plugins, public ::testing::WithParamInterface<std::string> {
 protected:
  void SetUp() override {
    const std::filesystem::path file = library(GetParam());
    if (GetParam() == "dangling") {
      std::filesystem::create_symlink("nowhere.so", file);
    } else if (GetParam() == "text") {
      folder_.write("text.so", "#!/bin/sh\necho hello\n");
    } else if (GetParam() == "truncated") {
      std::filesystem::copy_file(built("sound"), file);
      std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
    } else {
      add(GetParam());
    }
  }
};

TEST_P(Unloadable, IsAPluginFaultToInspectAndOneLineOfTheList) {
  const Outcome inspected = plugins({"inspect", GetParam()});
  const std::string begin = "blip3u: " + library(GetParam()).string() + ": ";
  expect_refusal(inspected, 3, begin);
  EXPECT_THAT(inspected.err.substr(begin.size()), HasSubstr("; ")) << "no word on how to mend it";
  const Outcome listed = plugins({"list"});
  EXPECT_EQ(listed.code, 0) << listed.err;
  EXPECT_THAT(listed.err, IsEmpty());
  EXPECT_EQ(listed.out, GetParam() + "  FAILED  " + inspected.err.substr(std::string("blip3u: ").size()));
}

INSTANTIATE_TEST_SUITE_P(Plugins, Unloadable, ::testing::ValuesIn(unloadable()),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace blip3u::testing
