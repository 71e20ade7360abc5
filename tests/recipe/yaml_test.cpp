// Files that are no recipes, YAML's traps, and the forms of values.
#include <chrono>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/support.h"
#include "recipe/fake_catalog.h"

namespace recipe_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class Yaml : public RecipeTest {
 protected:
  /// The good recipe with a line for the sampler's parameter.
  static std::string with_sampler(const std::string& line) { return changed("    steps: 20\n", "    " + line + "\n"); }
  double guidance(const std::string& written) {
    return load(with_sampler("guidance: " + written)).pipeline.parts.at("sampler").parameters.number("guidance");
  }
};

TEST_F(Yaml, FilesThatAreNoRecipes) {
  EXPECT_EQ(file_refusal("none.yaml"), "none.yaml: no such file");
  std::filesystem::create_directory("folder");
  EXPECT_EQ(file_refusal("folder"), "folder: is a folder, not a recipe; name the YAML file");
  for (const char* empty : {"", "\n\n", "# only a comment\n", "---\n", "\xEF\xBB\xBF"}) {
    EXPECT_THAT(refusal(empty), StartsWith("r.yaml: is empty; a recipe is a map of keys")) << empty;
  }
  EXPECT_THAT(refusal("just words\n"), StartsWith("r.yaml:1:1: a recipe must be a map of keys, is a single value"));
  EXPECT_THAT(refusal("- a\n- b\n"), StartsWith("r.yaml:1:1: a recipe must be a map of keys, is a list"));
  EXPECT_THAT(refusal("name: {a: 1\nother: 2\n"), HasSubstr("not YAML: "));
  EXPECT_THAT(refusal("name: small\n\tdata: x\n"), StartsWith("r.yaml:2:1: not YAML: "));
  EXPECT_THAT(refusal(std::string("\x89PNG\r\n\x1a\n\0\0", 10)), StartsWith("r.yaml: not YAML: byte 0 is not UTF-8"));
  EXPECT_THAT(refusal("name: \xC3\x28\n"), StartsWith("r.yaml: not YAML: byte 6 is not UTF-8"));
  EXPECT_THAT(refusal(std::string("name: a\0b\n", 10)), StartsWith("r.yaml: not YAML: byte 7 is not UTF-8"));
}

TEST_F(Yaml, UnreadableFile) {
  write(good_recipe);
  std::filesystem::permissions("r.yaml", std::filesystem::perms::none);
  std::filesystem::permissions(".", std::filesystem::perms::all);
  std::string message;
  {
    const blip3u::NotRoot mortal;
    if (mortal.failed()) GTEST_SKIP() << "cannot stop being root";
    message = file_refusal("r.yaml");
  }
  EXPECT_EQ(message, "r.yaml: cannot be read (Permission denied)");
}

TEST_F(Yaml, HugeAndDeepFilesAreRefusedQuickly) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(refusal(std::string(3 << 20, 'a')), "r.yaml: is larger than 1 MiB; this is no recipe");
  EXPECT_EQ(file_refusal("/dev/zero"), "/dev/zero: is larger than 1 MiB; this is no recipe");
  EXPECT_THAT(refusal(std::string(500000, '[')), HasSubstr("nested deeper than 32 levels"));
  std::string braces = "a: ";
  braces.append(500000, '{');
  EXPECT_THAT(refusal(braces), HasSubstr("nested deeper than 32 levels"));
  std::string steps;
  for (int i = 0; i < 1000; ++i) steps += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_THAT(refusal(steps), HasSubstr("nested deeper than 32 levels"));
  std::string dashes;
  for (int i = 0; i < 100000; ++i) dashes += "- ";
  EXPECT_THAT(refusal(dashes + "a"), HasSubstr("nested deeper than 32 levels"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST_F(Yaml, FeaturesThatAreNotSupported) {
  EXPECT_THAT(refusal(changed("name: small", "name: &a small")), HasSubstr("1:7: anchors (`&name`) are not supported"));
  EXPECT_THAT(refusal(changed("name: small", "name: &a small\noutput: *a")),
              HasSubstr("2:9: aliases (`*name`) are not supported"));
  EXPECT_THAT(refusal(with_sampler("<<: {steps: 3}")), StartsWith("r.yaml:10:5: merge keys (`<<`) are not supported"));
  EXPECT_THAT(refusal(with_sampler("steps: !!int 3")),
              HasSubstr("tags are not supported; remove `tag:yaml.org,2002:int`"));
  EXPECT_THAT(refusal(with_sampler("? [a, b]\n    : 3")), HasSubstr("r.yaml:10:7: a key must be plain text"));
  EXPECT_THAT(refusal(std::string(good_recipe) + "---\nname: more\n"), HasSubstr("this begins a second document"));
}

TEST_F(Yaml, Numbers) {
  EXPECT_EQ(guidance("1e-3"), 1e-3);
  EXPECT_EQ(guidance("1.0e-3"), 1e-3);
  EXPECT_EQ(guidance("2.5E+1"), 25);
  EXPECT_EQ(guidance("7"), 7);
  EXPECT_EQ(guidance("+7.25"), 7.25);
  EXPECT_EQ(guidance("0"), 0);
  EXPECT_EQ(guidance("0.1"), 0.1);
  for (const char* written : {"010", "0x10", ".inf", "-.inf", ".nan", "inf", "nan", "1_000", "1,5", "5.", ".5", "1e",
                              "yes", "true", "--1", "1 2", "0b1", "1.e3", "1f"}) {
    EXPECT_THAT(refusal(with_sampler(std::string("guidance: ") + written)),
                StartsWith("r.yaml:10:15: `guidance` must be a number in plain decimals, such as 0.001 or 1e-3, is `"))
        << written;
  }
  EXPECT_THAT(refusal(with_sampler("guidance: 1e999")), HasSubstr("`guidance` must be a number of ordinary size"));
}

TEST_F(Yaml, WholeNumbers) {
  EXPECT_EQ(load(with_sampler("steps: 31")).pipeline.parts.at("sampler").parameters.integer("steps"), 31);
  for (const char* written : {"010", "0x10", "3.0", "1e2", "yes", ".inf", "1_0", "+", "--3"}) {
    EXPECT_THAT(refusal(with_sampler(std::string("steps: ") + written)),
                StartsWith("r.yaml:10:12: `steps` must be a whole number in plain digits"))
        << written;
  }
}

TEST_F(Yaml, SeedsUpToTheLargestExactNumber) {
  const auto seed = [&](const std::string& written) { return changed("name: small", "name: small\nseed: " + written); };
  EXPECT_EQ(load(seed("9007199254740992")).seed, std::uint64_t{1} << 53);
  EXPECT_EQ(load(seed("9007199254740991")).seed, (std::uint64_t{1} << 53) - 1);
  EXPECT_THAT(load(seed("9007199254740991")).resolved, HasSubstr("seed: 9007199254740991\n"));
  for (const char* written : {"9007199254740993", "9223372036854775807", "99999999999999999999999"}) {
    EXPECT_THAT(refusal(seed(written)), StartsWith("r.yaml:2:7: `seed` must be a number of ordinary size, is `"));
  }
  EXPECT_THAT(refusal(seed("-1")), StartsWith("r.yaml:2:7: `seed` must be between 0 and 9007199254740992, is -1"));
}

TEST_F(Yaml, TrueAndFalseOnly) {
  const auto encoder = [](const std::string& written) {
    return changed("patch: 16}", "patch: 16, reconstruct: " + written + "}");
  };
  EXPECT_TRUE(load(encoder("true")).pipeline.parts.at("encoder").parameters.boolean("reconstruct"));
  EXPECT_FALSE(load(encoder("false")).pipeline.parts.at("encoder").parameters.boolean("reconstruct"));
  for (const char* written : {"yes", "no", "on", "True", "TRUE", "1", "y", "'true'"}) {
    EXPECT_THAT(refusal(encoder(written)), StartsWith("r.yaml:5:51: `reconstruct` must be true or false, is "))
        << written;
  }
}

TEST_F(Yaml, TextsAndLists) {
  const auto recipe = load(changed("image_size: 64}", "held_out: [red circle, 'a, b', 3], folder: 010}"));
  EXPECT_THAT(recipe.data.sources.front().dataset.parameters.texts("held_out"), ElementsAre("red circle", "a, b", "3"));
  EXPECT_EQ(recipe.data.sources.front().dataset.parameters.text("folder"), "010");
  EXPECT_THAT(load(good_recipe).data.sources.front().dataset.parameters.texts("held_out"),
              ElementsAre("red circle", "blue square"));
  EXPECT_THAT(
      load(changed("image_size: 64}", "held_out: []}")).data.sources.front().dataset.parameters.texts("held_out"),
      ElementsAre());
  EXPECT_THAT(refusal(changed("image_size: 64}", "held_out: [[a]]}")), HasSubstr("`held_out` must be a list of texts"));
}

TEST_F(Yaml, CarriageReturnsAndByteOrderMark) {
  std::string text = "\xEF\xBB\xBF";
  for (const char c : std::string(good_recipe)) text += c == '\n' ? std::string("\r\n") : std::string(1, c);
  EXPECT_EQ(load(text).resolved, load(good_recipe).resolved);
  text.replace(text.find("    steps: 20\r"), 13, "    steps: xx");
  EXPECT_THAT(refusal(text), HasSubstr("r.yaml:10:12: `steps`"));
  EXPECT_EQ(refusal(text).find('\r'), std::string::npos);
}

}  // namespace
}  // namespace recipe_test
