// What a good recipe becomes: values, wiring, the resolved text and the hash.
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recipe/fake_catalog.h"

namespace recipe_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class Resolve : public RecipeTest {
 protected:
  /// Loads what `recipe` resolved to; both must be the same.
  void expect_round_trip(const blip3u::Recipe& recipe) {
    const auto again = blip3u::load_recipe(write(recipe.resolved, "resolved.yaml"), {}, catalog_);
    EXPECT_EQ(again.resolved, recipe.resolved);
    EXPECT_EQ(again.hash, recipe.hash);
    EXPECT_EQ(again.prompt_template, recipe.prompt_template);
    EXPECT_EQ(again.data.sources.front().dataset.parameters.values(),
              recipe.data.sources.front().dataset.parameters.values());
    ASSERT_EQ(again.pipeline.roles(), recipe.pipeline.roles());
    if (recipe.pipeline.find("encoder")) {
      EXPECT_EQ(again.pipeline.parts.at("encoder").loss_weights, recipe.pipeline.parts.at("encoder").loss_weights);
    }
    ASSERT_EQ(again.stages.size(), recipe.stages.size());
    for (std::size_t i = 0; i < recipe.stages.size(); ++i) {
      EXPECT_EQ(again.stages[i].learning_rate, recipe.stages[i].learning_rate);
    }
  }
};

TEST_F(Resolve, FillsInEveryDefault) {
  const auto recipe = load(good_recipe);
  EXPECT_EQ(recipe.resolved, R"(name: small
output: runs
inference_batch: 64
plugin_folders: []
seed: 0
device: auto
data:
  plugin: shapes
  held_out: ["red circle", "blue square"]
  folder: ""
  weight: 1
  filter: []
  image_size: 64
  lanes: 0
  window: 16
  workers: 0
  corrupt_share: 0.01
  keep_features: true
tokenizer:
  plugin: words
pipeline:
  encoder:
    plugin: clip
    patch: 16
    width: 128
    temperature: 0.07
    reconstruct: false
    loss_weights: {contrastive: 1, reconstruction: 1}
  backbone:
    plugin: gpt
  denoiser:
    plugin: dit
  sampler:
    plugin: flow_matching
    steps: 20
    guidance: 3
    time: logit_normal
  decoder:
    plugin: unclip
    tokens: 16
templates:
  prompt: "{prompt}"
  question: "{question}"
training:
  - name: encoder
    objective: encoder
    train: [encoder]
    steps: 100
    batch: 64
    learning_rate: 0.001
    final_learning_rate: 0.05
    warmup: 0.05
    weight_decay: 0.01
    gradient_clip: 1
    average_decay: 0
    text_weight: 1
    image_weight: 1
    image_share: 0
    dropout: 0.1
    text_dropout: 0
    image_dropout: 0
    word_dropout: 0
    filter: []
    parts: 1
    checkpoint_every: 200
  - name: denoiser
    objective: conversation
    train: [denoiser]
    steps: 200
    batch: 64
    learning_rate: 0.001
    final_learning_rate: 0.05
    warmup: 0.05
    weight_decay: 0.01
    gradient_clip: 1
    average_decay: 0
    text_weight: 0
    image_weight: 1
    image_share: 0
    dropout: 0.1
    text_dropout: 0
    image_dropout: 0
    word_dropout: 0
    filter: []
    parts: 1
    checkpoint_every: 200
evaluation:
  - plugin: tasks/vqa
    limit: 0
)");
  EXPECT_EQ(recipe.as_written, good_recipe);
  EXPECT_EQ(recipe.stages[1].objective, blip3u::ObjectiveKind::conversation);
  EXPECT_THAT(recipe.stages[1].train, ElementsAre("denoiser"));
  expect_round_trip(recipe);
}

TEST_F(Resolve, WiringIsWhatTheChecksLeft) {
  const auto wiring = load(good_recipe).wiring;
  EXPECT_EQ(wiring.image_size, 64);
  EXPECT_EQ(wiring.features, (blip3u::Layout{.tokens = 16, .width = 128, .groups = {}}));
  EXPECT_EQ(wiring.backbone_width, 96);
  EXPECT_TRUE(wiring.problems.empty());
}

TEST_F(Resolve, AwkwardValuesReadBackExactly) {
  const std::string text = changed("name: small",
                                   "name: small\noutput: \"~\"\nplugin_folders: ['a, b', \"null\", x-y, -z]\n"
                                   "device: cuda:1\nseed: 9007199254740992\n"
                                   "templates: {prompt: \"a \\\"b\\\" \\\\ \\t\\n # {prompt}: é 😀 \\x7f\\x01\"}");
  const auto recipe = load(text, {"training.0.learning_rate=0.1", "training.1.learning_rate=1.2345678901234567e-7",
                                  "training.0.weight_decay=1e22", "pipeline.encoder.loss_weights={contrastive: 1e-300}",
                                  "data.folder='010'", "data.held_out=['', true, 'x y']"});
  EXPECT_EQ(recipe.prompt_template, "a \"b\" \\ \t\n # {prompt}: é 😀 \x7f\x01");
  EXPECT_EQ(recipe.stages[1].learning_rate, 1.2345678901234567e-7);
  EXPECT_EQ(recipe.pipeline.parts.at("encoder").loss_weights.at("contrastive"), 1e-300);
  const auto absolute = [](const char* folder) { return std::filesystem::absolute(folder).string(); };
  EXPECT_THAT(recipe.plugin_folders, ElementsAre(absolute("a, b"), absolute("null"), absolute("x-y"), absolute("-z")));
  expect_round_trip(recipe);
}

TEST_F(Resolve, SeveralSources) {
  const std::string several =
      "data:\n  image_size: 64\n  workers: 2\n  sources:\n    - {plugin: shapes, weight: 3, filter: [kind!=edit, "
      "a=b]}\n"
      "    - shapes\n";
  const std::string text = changed("data: {plugin: shapes, image_size: 64}\n", several);
  const auto recipe = load(text);
  ASSERT_EQ(recipe.data.sources.size(), 2U);
  EXPECT_EQ(recipe.data.sources[0].weight, 3);
  EXPECT_THAT(recipe.data.sources[0].filter, ElementsAre("kind!=edit", "a=b"));
  EXPECT_EQ(recipe.data.sources[1].weight, 1);
  EXPECT_EQ(recipe.wiring.image_size, 64);
  EXPECT_EQ(load(text, {"data.workers=4"}).hash, recipe.hash) << "who reads decides nothing";
  EXPECT_NE(load(text, {"data.window=4"}).hash, recipe.hash);
  EXPECT_NE(load(text, {"data.sources.0.weight=2"}).hash, recipe.hash);
  const auto again = blip3u::load_recipe(write(recipe.resolved, "resolved.yaml"), {}, catalog_);
  EXPECT_EQ(again.resolved, recipe.resolved);
  EXPECT_EQ(again.hash, recipe.hash);

  EXPECT_THAT(refusal(text, {"data.sources.0.weight=0"}), HasSubstr("`weight` must be above 0"));
  EXPECT_THAT(refusal(text, {"data.sources.0.filter=[kind]"}),
              HasSubstr("must be label=value or label!=value, is `kind`"));
  EXPECT_THAT(refusal(text, {"data.sources=[]"}), HasSubstr("`sources` must be a list of data sets"));
  EXPECT_THAT(refusal(text, {"data.plugin=shapes"}), HasSubstr("unknown key `plugin` in `data` with `sources`"));
  EXPECT_THAT(refusal(text, {"data.sources.1.folde=x"}), HasSubstr("did you mean `folder`?"));
}

TEST_F(Resolve, SmallestRecipe) {
  const auto recipe = load("name: x\ndata: shapes\ntokenizer: words\npipeline: {}\n");
  EXPECT_FALSE(recipe.pipeline.parts.contains("encoder"));
  EXPECT_TRUE(recipe.stages.empty());
  EXPECT_TRUE(recipe.evaluation.empty());
  EXPECT_EQ(recipe.wiring.features.tokens, 0);
  EXPECT_THAT(recipe.resolved, HasSubstr("pipeline: {}\n"));
  expect_round_trip(recipe);
}

TEST_F(Resolve, HashTellsWhatDecidesTheResult) {
  const std::string hash = load(good_recipe).hash;
  EXPECT_EQ(hash.size(), 64U);
  for (const char* same : {"name=other", "output=elsewhere", "plugin_folders=[more]", "pipeline.sampler.steps=20",
                           "seed=0", "pipeline.encoder=clip", "pipeline.encoder.plugin=clip/clip",
                           "pipeline.encoder.loss_weights={reconstruction: 1}"}) {
    EXPECT_EQ(load(good_recipe, {same}).hash, hash) << same;
  }
  for (const char* other : {"seed=1", "pipeline.sampler.steps=21", "training.0.steps=101", "pipeline.denoiser=mlp",
                            "templates.prompt=draw {prompt}", "evaluation=[]", "pipeline.decoder=null", "device=cpu",
                            "pipeline.encoder.loss_weights={reconstruction: 0.5}"}) {
    EXPECT_NE(load(good_recipe, {other}).hash, hash) << other;
  }
  catalog_.hash_suffix = "-rebuilt";
  EXPECT_NE(load(good_recipe).hash, hash);
}

TEST_F(Resolve, PathsCountFromWhereTheyAreNamed) {
  const auto table = [](const blip3u::Recipe& recipe) {
    return recipe.pipeline.parts.at("sampler").parameters.text("table");
  };
  const auto here = [](const char* path) { return std::filesystem::absolute(path).lexically_normal().string(); };
  const std::string heun =
      "sampler:\n    plugin: acme/heun\n    stretch: 1\n    levels: [1e-3, 2]\n    table: ../t.bin";
  const std::string text = changed("sampler:\n    plugin: flow_matching\n    steps: 20", heun);
  write(text, "deep/recipes/r.yaml");
  const auto recipe = blip3u::load_recipe("deep/recipes/r.yaml", {}, catalog_);
  EXPECT_EQ(table(recipe), here("deep/t.bin"));
  EXPECT_THAT(recipe.pipeline.parts.at("sampler").parameters.numbers("levels"), ElementsAre(1e-3, 2));
  expect_round_trip(recipe);
  write("base: deep/recipes/r.yaml\n", "over.yaml");
  EXPECT_EQ(table(blip3u::load_recipe("over.yaml", {}, catalog_)), here("deep/t.bin"));
  EXPECT_EQ(table(blip3u::load_recipe("over.yaml", {"pipeline.sampler.table=t.bin"}, catalog_)), here("t.bin"));
  EXPECT_EQ(table(blip3u::load_recipe("over.yaml", {"pipeline.sampler.table=''"}, catalog_)), "");
}

TEST_F(Resolve, WhatAPathNamesIsPartOfTheHash) {
  const std::string text = changed("sampler:\n    plugin: flow_matching\n    steps: 20",
                                   "sampler:\n    plugin: acme/heun\n    stretch: 1\n    table: t.bin");
  write("one", "t.bin");
  const std::string before = load(text).hash;
  EXPECT_EQ(load(text).hash, before);
  write("one", "moved.bin");
  EXPECT_EQ(load(text, {"pipeline.sampler.table=moved.bin"}).hash, before) << "where it lies decides nothing";
  write("two", "t.bin");
  EXPECT_NE(load(text).hash, before);
}

TEST_F(Resolve, WeightsOfAComponent) {
  write("{}", "weights/vision/config.json");
  const std::string text = changed("patch: 16}", "patch: 16, weights: {from: weights, subfolder: vision}}");
  const auto recipe = load(text);
  ASSERT_TRUE(recipe.pipeline.parts.at("encoder").weights);
  EXPECT_EQ(recipe.pipeline.parts.at("encoder").weights->folder(), std::filesystem::absolute("weights/vision"));
  expect_round_trip(recipe);
  EXPECT_NE(recipe.hash, load(good_recipe).hash);
  write("{ }", "weights/vision/config.json");
  EXPECT_NE(load(text).hash, recipe.hash);
  const auto tokenizer = load(changed("tokenizer: words", "tokenizer: {plugin: words, weights: {from: weights}}"));
  ASSERT_TRUE(tokenizer.tokenizer.weights);
  expect_round_trip(tokenizer);
  EXPECT_FALSE(load(text, {"pipeline.encoder.weights=null"}).pipeline.parts.at("encoder").weights);
  EXPECT_THAT(refusal(changed("patch: 16}", "patch: 16, weights: {form: weights}}")),
              AllOf(HasSubstr("unknown key `form` in `weights`"), HasSubstr("missing key `from` in `weights`")));
  EXPECT_THAT(refusal(changed("patch: 16}", "patch: 16, weights: {from: nowhere}}")), HasSubstr("there is no folder"));
  EXPECT_THAT(refusal(changed("patch: 16}", "patch: 16, weights: nowhere}")), HasSubstr("`weights` must be a map"));
}

TEST_F(Resolve, BaseAndOverridesLeaveNoTrace) {
  write(good_recipe, "base.yaml");
  const auto recipe = load("base: base.yaml\n", {"seed=5"});
  EXPECT_THAT(recipe.resolved, Not(HasSubstr("base:")));
  EXPECT_EQ(recipe.resolved, load(good_recipe, {"seed=5"}).resolved);
  expect_round_trip(recipe);
}

}  // namespace
}  // namespace recipe_test
