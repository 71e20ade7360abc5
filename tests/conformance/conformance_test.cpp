// The conformance kit: every plugin that we ship passes it, and its reports say what it found.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include <ATen/ops/full.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "blip3u/conformance.h"
#include "blip3u/image.h"
#include "message_of.h"
#include "registry/load.h"
#include "temporary_folder.h"

namespace blip3u::conformance {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::filesystem::path library(const std::string& name) {
  return std::filesystem::path(BLIP3U_PLUGIN_FOLDER) / (name + ".so");
}

std::vector<Check> verify_shipped(const std::string& name, const Options& options = {}) {
  return verify(load_plugin(library(name)), library(name), options);
}

std::vector<std::string> shipped() {
  std::vector<std::string> names;
  std::error_code missing;  // gtest says that there is no test then
  for (const auto& entry : std::filesystem::directory_iterator(BLIP3U_PLUGIN_FOLDER, missing)) {
    if (entry.path().extension() == ".so") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class Shipped : public ::testing::TestWithParam<std::string> {};

TEST_P(Shipped, Conforms) {
  const TemporaryFolder folder;
  Options options;
  if (GetParam() == "image_folder") {
    for (int i = 0; i < 20; ++i) {
      write_png(folder / fmt::format("{}.png", i), at::full({3, 24, 24}, 0.1 * i - 1));
      folder.write(fmt::format("{}.txt", i), fmt::format("picture {}", i));
    }
    options.settings = {"image_folder.path=" + folder.path().string()};
  } else if (GetParam() == "chat") {
    for (const std::string name : {"a", "b", "test"}) {
      std::string lines;
      for (int i = 0; i < 40; ++i) {
        lines += R"({"id": ")" + name + std::to_string(i) +
                 R"(", "messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "you"}]})" +
                 "\n";
      }
      folder.write(name + ".jsonl", lines);
    }
    options.settings = {"chat.path=" + folder.path().string()};
  } else if (GetParam() == "easy_vqa") {
    for (const std::string split : {"train", "test"}) {
      auto questions = nlohmann::json::array();
      for (int i = 0; i < 8; ++i) {
        const std::string colour = i % 2 ? "red" : "blue";
        questions.push_back({"what color is the triangle?", colour, i});
        const auto image = folder.write(fmt::format("easy_vqa/data/{}/images/{}.png", split, i), "");
        write_png(image, at::full({3, 64, 64}, 0.1 * i));
      }
      folder.write("easy_vqa/data/" + split + "/questions.json", questions.dump());
    }
    options.settings = {"easy_vqa.path=" + folder.path().string(), "easy_vqa.held_out=red triangle"};
  }
  const auto checks = verify_shipped(GetParam(), options);
  EXPECT_TRUE(conforms(checks)) << to_text(checks, /*verbose=*/true);
  for (const Check& check : checks) {
    if (check.name == "create_destroy") EXPECT_EQ(check.outcome, Outcome::passed) << check.component;
  }
  double seconds = 0;
  for (const Check& check : checks) seconds += check.seconds;
  RecordProperty("seconds", fmt::format("{:.1f}", seconds));
}

INSTANTIATE_TEST_SUITE_P(Plugins, Shipped, ::testing::ValuesIn(shipped()), [](const auto& info) { return info.param; });

/// A shipped library, and a setting of it that is not the default.
class ShippedOtherwise : public ::testing::TestWithParam<std::pair<std::string, std::string>> {};

TEST_P(ShippedOtherwise, Conforms) {
  for (const Check& check : verify_shipped(GetParam().first, {.settings = {GetParam().second}})) {
    EXPECT_NE(check.outcome, Outcome::failed) << check.component << ": " << check.name << ": " << check.detail;
  }
}

INSTANTIATE_TEST_SUITE_P(Plugins, ShippedOtherwise,
                         ::testing::Values(std::pair{"gpt", "gpt.experts=2"},
                                           std::pair{"gpt", "gpt.rotary_sections=4,6,6"},
                                           std::pair{"dit", "dit.gate_start=0"}, std::pair{"ddpm", "ddpm.clip=1"},
                                           std::pair{"flow_matching", "flow_matching.prediction=data"},
                                           std::pair{"cfg", "cfg.scale=1"}, std::pair{"edit", "edit.text_scale=1"}),
                         [](const auto& info) {
                           std::string name = info.param.second;
                           std::ranges::replace_if(
                               name, [](unsigned char c) { return !std::isalnum(c); }, '_');
                           return name;
                         });

const Check& find(const std::vector<Check>& checks, const std::string& name) {
  const auto found = std::find_if(checks.begin(), checks.end(), [&](const Check& check) { return check.name == name; });
  if (found == checks.end()) throw Error("there is no check " + name);
  return *found;
}

TEST(Conformance, MeasuresTheOrderOfASolver) {
  for (const std::string solver : {"euler", "midpoint", "heun"}) {
    const auto checks = verify_shipped("flow_matching", {.settings = {"flow_matching.solver=" + solver}});
    const Check& order = find(checks, "order_of_convergence");
    EXPECT_EQ(order.outcome, Outcome::passed) << order.detail;
    EXPECT_THAT(order.detail, HasSubstr(solver == "euler" ? "stated 1" : "stated 2"));
    EXPECT_THAT(order.detail, HasSubstr("it predicts the velocity (noise - data)"));
  }
}

TEST(Conformance, FindsOutWhatASamplerPredicts) {
  const std::pair<const char*, const char*> cases[] = {{"ddpm.prediction=epsilon", "it predicts the noise"},
                                                       {"ddpm.prediction=v", "it predicts v"},
                                                       {"ddpm.schedule=linear", "it predicts v"}};
  for (const auto& [setting, text] : cases) {
    const auto checks = verify_shipped("ddpm", {.settings = {setting}});
    EXPECT_TRUE(conforms(checks)) << to_text(checks, true);
    EXPECT_THAT(find(checks, "loss_minimum").detail, HasSubstr(text));
  }
}

TEST(Conformance, ChecksOneComponentAlone) {
  for (const Check& check : verify_shipped("tasks", {.component = "tasks/vqa"})) {
    EXPECT_EQ(check.component, "task tasks/vqa");
  }
}

TEST(Conformance, RefusesOptionsThatFitNothing) {
  const auto message = [](const Options& options) { return message_of([&] { verify_shipped("words", options); }); };
  EXPECT_THAT(message({.component = "heun"}), HasSubstr("has no component `heun`"));
  EXPECT_THAT(message({.settings = {"words.maximum_words"}}), HasSubstr("component.parameter=value"));
  EXPECT_THAT(message({.settings = {"words.steps=1"}}), HasSubstr("with a parameter `steps`"));
  EXPECT_THAT(message({.settings = {"words.maximum_words=many"}}), HasSubstr("is not of the declared type"));
  EXPECT_THAT(message({.settings = {"words.maximum_words=0"}}), HasSubstr("must be between 1 and"));
}

TEST(Conformance, SkipsWhatHasNoDataAndSaysWhatToGive) {
  const auto checks = verify_shipped("image_folder");
  EXPECT_TRUE(conforms(checks)) << to_text(checks, true);
  const Check& creation = find(checks, "create_destroy");
  EXPECT_EQ(creation.outcome, Outcome::skipped);
  EXPECT_THAT(creation.detail, HasSubstr("--set image_folder.path=VALUE"));
}

std::vector<Check> examples() {
  return {{"sampler acme/heun", "finite", Outcome::passed, "", 0.25},
          {"sampler acme/heun", "silent", Outcome::failed, "printed \"<a> & b\"\n", 0.5},
          {"sampler acme/heun", "order_of_convergence", Outcome::skipped, "states none", 0},
          {"task acme/poll", "finite", Outcome::passed, "1.0", 0}};
}

TEST(Report, TextSumsUpWhatPassed) {
  const std::string brief = to_text(examples(), false), full = to_text(examples(), true);
  EXPECT_THAT(brief, HasSubstr("FAILED   sampler acme/heun  silent: printed \"<a> & b\"\n"));
  EXPECT_THAT(brief, HasSubstr("skipped  sampler acme/heun  order_of_convergence: states none\n"));
  EXPECT_THAT(brief, HasSubstr("passed   sampler acme/heun  finite (0.8 s)\n"));
  EXPECT_THAT(brief, Not(HasSubstr("1.0\n")));
  EXPECT_THAT(full, HasSubstr("passed   task acme/poll  finite: 1.0\n"));
  EXPECT_THAT(brief, ::testing::EndsWith("2 passed, 1 failed, 1 skipped\n"));
  EXPECT_FALSE(conforms(examples()));
  EXPECT_TRUE(conforms({examples()[0], examples()[2]}));
}

TEST(Report, JsonIsAnArrayOfChecks) {
  const auto list = nlohmann::json::parse(to_json(examples()));
  ASSERT_EQ(list.size(), 4U);
  EXPECT_EQ(list[1], nlohmann::json({{"component", "sampler acme/heun"},
                                     {"name", "silent"},
                                     {"outcome", "failed"},
                                     {"detail", "printed \"<a> & b\"\n"},
                                     {"seconds", 0.5}}));
  EXPECT_NO_THROW(nlohmann::json::parse(to_json({{"a", "b", Outcome::failed, "\xff not UTF-8", 0}})));
}

TEST(Report, JunitEscapesAndCounts) {
  const std::string xml = to_junit(examples(), "acme");
  EXPECT_THAT(xml, HasSubstr("<testsuite name=\"acme\" tests=\"4\" failures=\"1\" errors=\"0\" skipped=\"1\" "
                             "time=\"0.750\">"));
  EXPECT_THAT(xml, HasSubstr("<testcase classname=\"sampler acme/heun\" name=\"finite\" time=\"0.250\"/>"));
  EXPECT_THAT(xml, HasSubstr("<failure message=\"printed &quot;&lt;a&gt; &amp; b&quot;&#10;\"/></testcase>"));
  EXPECT_THAT(xml, HasSubstr("<skipped message=\"states none\"/></testcase>"));
  EXPECT_THAT(to_junit({{"a", "b", Outcome::failed, "\x01\xff", 0}}, "x"), HasSubstr("message=\"??\""));
}

}  // namespace
}  // namespace blip3u::conformance
