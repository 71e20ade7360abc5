// Base recipes and overrides.
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recipe/fake_catalog.h"

namespace recipe_test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::StartsWith;

class Base : public RecipeTest {
 protected:
  Base() { write(good_recipe, "base.yaml"); }
};

TEST_F(Base, MapsMergeAndEverythingElseReplaces) {
  const auto recipe = load(
      "base: base.yaml\nname: child\npipeline:\n  sampler: {guidance: 5}\n"
      "training:\n  - {name: only, objective: encoder, train: [encoder], steps: 7}\n");
  EXPECT_EQ(recipe.name, "child");
  EXPECT_EQ(recipe.pipeline.parts.at("sampler").name, "flow_matching");
  EXPECT_EQ(recipe.pipeline.parts.at("sampler").parameters.integer("steps"), 20);
  EXPECT_EQ(recipe.pipeline.parts.at("sampler").parameters.number("guidance"), 5);
  ASSERT_EQ(recipe.stages.size(), 1U);
  EXPECT_EQ(recipe.stages[0].steps, 7);
  EXPECT_EQ(recipe.evaluation.size(), 1U);
  EXPECT_THAT(recipe.as_written, StartsWith("base: base.yaml"));
}

TEST_F(Base, AnotherPluginReplacesTheWholeComponent) {
  const auto recipe = load("base: base.yaml\npipeline: {sampler: {plugin: ddpm, guidance: 5}}\n");
  EXPECT_EQ(recipe.pipeline.parts.at("sampler").name, "ddpm");
  EXPECT_EQ(recipe.pipeline.parts.at("sampler").parameters.integer("steps"), 30);  // its own default, not the base's 20
  EXPECT_EQ(
      load("base: base.yaml\npipeline: {sampler: ddpm}\n").pipeline.parts.at("sampler").parameters.integer("steps"),
      30);
  const auto same = load("base: base.yaml\npipeline: {sampler: {plugin: flow_matching/flow_matching, guidance: 5}}\n");
  EXPECT_EQ(same.pipeline.parts.at("sampler").parameters.integer("steps"), 20);
  EXPECT_EQ(same.pipeline.parts.at("sampler").name, "flow_matching");
}

TEST_F(Base, NullTakesAPartOut) {
  const auto recipe = load("base: base.yaml\npipeline: {decoder: null}\n");
  EXPECT_FALSE(recipe.pipeline.parts.contains("decoder"));
  EXPECT_TRUE(recipe.pipeline.parts.contains("encoder"));
}

TEST_F(Base, IsRelativeToItsFile) {
  write("base: ../base.yaml\nname: middle\n", "deep/middle.yaml");
  EXPECT_EQ(load("base: deep/middle.yaml\n").name, "middle");
}

TEST_F(Base, ProblemsAreReportedWhereTheyStand) {
  write(changed("    steps: 20\n", "    stpes: 20\n"), "base.yaml");
  const std::string message = refusal("base: base.yaml\nseed: x\n");
  EXPECT_THAT(message, HasSubstr("base.yaml:10:5: unknown key `stpes`"));
  EXPECT_THAT(message, HasSubstr("r.yaml:2:7: `seed` must be a whole number"));
}

TEST_F(Base, CycleShowsTheChain) {
  write("base: b.yaml\n", "a.yaml");
  write("base: a.yaml\n", "b.yaml");
  EXPECT_EQ(file_refusal("a.yaml"),
            "b.yaml:1:7: `base` goes in a circle: a.yaml -> b.yaml -> a.yaml\n"
            "  base: a.yaml\n"
            "        ^");
  EXPECT_THAT(refusal("base: r.yaml\n"), StartsWith("r.yaml:1:7: `base` goes in a circle: r.yaml -> r.yaml"));
  EXPECT_THAT(refusal("base: ./x/../r.yaml\n"), HasSubstr("`base` goes in a circle"));
}

TEST_F(Base, Missing) {
  EXPECT_THAT(refusal("base: none.yaml\n"), StartsWith("r.yaml:1:7: base `none.yaml`: no such file\n"));
  EXPECT_THAT(refusal("base: [base.yaml]\n"), HasSubstr("r.yaml:1:7: `base` must be the path of one recipe"));
  EXPECT_THAT(refusal("base:\n"), HasSubstr("r.yaml:1:1: `base` must be the path of one recipe"));
}

class Overrides : public RecipeTest {};

TEST_F(Overrides, SetValues) {
  const auto recipe =
      load(good_recipe, {"pipeline.sampler.guidance=1.5", "seed=7", "templates.prompt=draw {prompt}",
                         "plugin_folders=[a, b]", "training.denoiser.steps=9", "training.0.batch=3",
                         "pipeline.encoder.loss_weights.contrastive=0.5", "evaluation.vqa.limit=11", "output=a=b"});
  EXPECT_EQ(recipe.pipeline.parts.at("sampler").parameters.number("guidance"), 1.5);
  EXPECT_EQ(recipe.pipeline.parts.at("sampler").parameters.integer("steps"), 20);
  EXPECT_EQ(recipe.seed, 7U);
  EXPECT_EQ(recipe.prompt_template, "draw {prompt}");
  EXPECT_EQ(recipe.question_template, "{question}");
  const auto folders = ElementsAre(std::filesystem::absolute("a").string(), std::filesystem::absolute("b").string());
  EXPECT_THAT(recipe.plugin_folders, folders);
  EXPECT_THAT(catalog_.folders, folders);
  EXPECT_EQ(recipe.stages[1].steps, 9);
  EXPECT_EQ(recipe.stages[0].batch, 3);
  EXPECT_THAT(recipe.pipeline.parts.at("encoder").loss_weights,
              ElementsAre(Pair("contrastive", 0.5), Pair("reconstruction", 1.0)));
  EXPECT_EQ(recipe.evaluation[0].parameters.integer("limit"), 11);
  EXPECT_EQ(recipe.output, "a=b");
  EXPECT_EQ(load(good_recipe, {"evaluation.tasks/vqa.limit=12"}).evaluation[0].parameters.integer("limit"), 12);
  EXPECT_EQ(load(good_recipe, {"seed=1", "seed=2"}).seed, 2U);
}

TEST_F(Overrides, AnotherPluginReplacesTheWholeComponentWhateverTheOrder) {
  for (const auto& overrides : {std::vector<std::string>{"pipeline.sampler.plugin=ddpm", "pipeline.sampler.guidance=2"},
                                std::vector<std::string>{"pipeline.sampler.guidance=2", "pipeline.sampler.plugin=ddpm"},
                                std::vector<std::string>{"pipeline.sampler.guidance=2", "pipeline.sampler=ddpm"}}) {
    const auto recipe = load(good_recipe, overrides);
    EXPECT_EQ(recipe.pipeline.parts.at("sampler").name, "ddpm");
    EXPECT_EQ(recipe.pipeline.parts.at("sampler").parameters.integer("steps"), 30);
    EXPECT_EQ(recipe.pipeline.parts.at("sampler").parameters.number("guidance"), 2);
  }
  const auto same = load(good_recipe, {"pipeline.sampler.plugin=flow_matching"});
  EXPECT_EQ(same.pipeline.parts.at("sampler").parameters.integer("steps"), 20);
}

TEST_F(Overrides, AnotherPluginDropsTheWeightsOfItsLosses) {
  const std::string weighted = changed("patch: 16}", "patch: 16, loss_weights: {contrastive: 0.3}}");
  EXPECT_THAT(load(weighted).pipeline.parts.at("encoder").loss_weights,
              ElementsAre(Pair("contrastive", 0.3), Pair("reconstruction", 1.0)));
  const auto other = load(weighted, {"pipeline.encoder.plugin=pixels", "pipeline.decoder.tokens=64"});
  EXPECT_EQ(other.pipeline.parts.at("encoder").name, "pixels");
  EXPECT_THAT(other.pipeline.parts.at("encoder").loss_weights, IsEmpty());
}

TEST_F(Overrides, TakePartsOutAndPutThemBack) {
  EXPECT_FALSE(load(good_recipe, {"pipeline.decoder=null"}).pipeline.parts.contains("decoder"));
  EXPECT_FALSE(load(good_recipe, {"pipeline.decoder=~"}).pipeline.parts.contains("decoder"));
  EXPECT_EQ(load(changed("  decoder: {plugin: unclip, tokens: 16}", "  decoder: null"),
                 {"pipeline.decoder.plugin=patch_decoder"})
                .pipeline.parts.at("decoder")
                .name,
            "patch_decoder");
}

TEST_F(Overrides, ProblemsNameTheOverride) {
  const auto message = [&](const std::string& override_text) { return refusal(good_recipe, {override_text}); };
  EXPECT_EQ(message("pipeline.samplr.steps=3"),
            "override 'pipeline.samplr.steps=3': unknown key `samplr` in `pipeline`; did you mean `sampler`?");
  EXPECT_EQ(
      message("pipeline.sampler.stpes=3"),
      "override 'pipeline.sampler.stpes=3': unknown key `stpes` in sampler `flow_matching`; did you mean `steps`?");
  EXPECT_EQ(
      message("pipeline.encoder.loss_weights.contrastiv=3"),
      "override 'pipeline.encoder.loss_weights.contrastiv=3': unknown loss `contrastiv` in encoder `clip`; did you "
      "mean `contrastive`?");
  EXPECT_EQ(message("sed=3"), "override 'sed=3': unknown key `sed` in the recipe; did you mean `seed`?");
  EXPECT_EQ(message("pipeline.sampler.steps=0"),
            "override 'pipeline.sampler.steps=0': `steps` must be between 1 and 1000, is 0");
  EXPECT_EQ(message("training.denoisr.steps=3"),
            "override 'training.denoisr.steps=3': `training` has no entry `denoisr`; did you mean `denoiser`?");
  EXPECT_EQ(message("training.2.steps=3"),
            "override 'training.2.steps=3': `training` has 2 entries, counted from 0, so there is no 2");
  EXPECT_THAT(message("name.x=3"),
              StartsWith("override 'name.x=3': `name` is a single value, so nothing in it can be"));
  EXPECT_EQ(
      message("pipeline.sampler.plugin=acme/heun"),
      "override 'pipeline.sampler.plugin=acme/heun': missing key `stretch` in sampler `acme/heun`: how far it goes");
  EXPECT_THAT(message("pipeline.sampler.plugin=dppm"), HasSubstr("there is no sampler `dppm`; did you mean `ddpm`?"));
  for (const char* malformed : {"seed", "=3", "a..b=3", ".a=3", "a.=3"}) {
    EXPECT_THAT(message(malformed), StartsWith("override '" + std::string(malformed) + "': an override is written"));
  }
  EXPECT_THAT(message("name=[1"), StartsWith("override 'name=[1': not YAML: "));
  EXPECT_THAT(message("base=x.yaml"), HasSubstr("`base` cannot be overridden"));
  EXPECT_THAT(message("seed="), StartsWith("override 'seed=': `seed` must be a whole number"));
  EXPECT_THAT(message("output=caf\xE9"), HasSubstr("is not UTF-8 text"));
  EXPECT_THAT(message("plugin=ddpm"),
              StartsWith("override 'plugin=ddpm': unknown key `plugin` in the recipe; known keys: "));
  EXPECT_THAT(message("plugin=ddpm"), Not(HasSubstr("missing")));
  EXPECT_THAT(message("data=null"), StartsWith("override 'data=null': `dataset` must be the name of a component"));
}

TEST_F(Overrides, ANameThatTwoEntriesHaveIsRefused) {
  const std::string twice = changed("- name: denoiser", "- name: encoder");
  EXPECT_THAT(refusal(twice, {"training.encoder.steps=3"}),
              AllOf(HasSubstr("`training` has 2 entries named `encoder`; give the index instead, from 0"),
                    HasSubstr("a second stage named `encoder`")));
}

}  // namespace
}  // namespace recipe_test
