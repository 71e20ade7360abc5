#include "training/stage_key.h"

#include <gtest/gtest.h>

#include "fakes.h"

namespace blip3u::testing {
namespace {

// A recipe with every part, each after its kind's name.
Recipe whole_recipe() {
  Recipe recipe = fake_recipe();
  const auto part = [](Kind kind) {
    return ComponentChoice{.kind = kind, .name = kind_name(kind), .entry = {}, .parameters = {}};
  };
  put(recipe, "backbone", part(Kind::backbone));
  put(recipe, "denoiser", part(Kind::denoiser));
  put(recipe, "sampler", part(Kind::sampler));
  static constexpr ParameterSpec sampler_parameters[] = {inference(integer("steps", 30, 1, 100, "read after training")),
                                                         number("shift", 1, 0, 10, "of training")};
  static constexpr ComponentDescriptor sampler{
      .kind = Kind::sampler, .name = "sampler", .summary = "", .parameters = sampler_parameters};
  recipe.pipeline.parts.at("sampler").entry.component = &sampler;
  put(recipe, "decoder", part(Kind::decoder));
  const auto stage = [](const char* name, ObjectiveKind objective, const char* role) {
    Stage result = fake_stage();
    result.name = name;
    result.objective = objective;
    result.train = {role};
    return result;
  };
  recipe.stages = {stage("encoder", ObjectiveKind::encoder, "encoder"),
                   stage("decoder", ObjectiveKind::decoder, "decoder"),
                   stage("backbone", ObjectiveKind::conversation, "backbone"),
                   stage("denoiser", ObjectiveKind::conversation, "denoiser")};
  recipe.stages[2].text_weight = recipe.stages[3].image_weight = 1;
  return recipe;
}

std::vector<std::string> keys_of(const Recipe& recipe, const std::string& data = "data",
                                 const std::string& device = "cpu") {
  StageKeys keys(recipe, data, "words", device);
  std::vector<std::string> result;
  for (const Stage& stage : recipe.stages) result.push_back(keys.next(stage));
  return result;
}

// Which of the four keys differ from the unchanged recipe's.
std::string changed(const std::function<void(Recipe&)>& change) {
  Recipe recipe = whole_recipe();
  const auto before = keys_of(recipe);
  change(recipe);
  const auto after = keys_of(recipe);
  std::string result;
  for (std::size_t i = 0; i < before.size(); ++i) result += before[i] == after[i] ? '-' : 'x';
  return result;
}

TEST(StageKeys, ChangeWithWhatDecidesAStageAndNothingElse) {
  EXPECT_EQ(changed([](Recipe&) {}), "----");
  EXPECT_EQ(changed([](Recipe& r) { r.name = "other"; }), "----");
  EXPECT_EQ(changed([](Recipe& r) { r.seed = 1; }), "xxxx");
  EXPECT_EQ(changed([](Recipe& r) { r.pipeline.parts.at("encoder").parameters.set("width", std::int64_t{3}); }),
            "xxxx");
  EXPECT_EQ(changed([](Recipe& r) { r.pipeline.parts.at("decoder").parameters.set("width", std::int64_t{3}); }),
            "-x--");
  EXPECT_EQ(changed([](Recipe& r) { r.pipeline.parts.at("sampler").name = "ddpm"; }), "---x");
  EXPECT_EQ(changed([](Recipe& r) { r.pipeline.parts.at("sampler").parameters.set("steps", std::int64_t{5}); }),
            "----");
  EXPECT_EQ(changed([](Recipe& r) { r.pipeline.parts.at("sampler").parameters.set("shift", 2.0); }), "---x");
  EXPECT_EQ(changed([](Recipe& r) { put(r, "solver", r.pipeline.parts.at("sampler")); }), "----");
  EXPECT_EQ(changed([](Recipe& r) { put(r, "guidance", r.pipeline.parts.at("sampler")); }), "----");
  EXPECT_EQ(changed([](Recipe& r) { r.stages[3].dropout = 0.5; }), "---x");
  EXPECT_EQ(changed([](Recipe& r) { r.pipeline.parts.at("denoiser").entry.library_hash = "rebuilt"; }), "---x");
  EXPECT_EQ(changed([](Recipe& r) { r.stages[0].steps = 13; }), "xxxx");
  EXPECT_EQ(changed([](Recipe& r) { r.stages[2].learning_rate = 1; }), "--xx");
  EXPECT_EQ(changed([](Recipe& r) { r.stages[3].checkpoint_every = 5; }), "----");
  EXPECT_EQ(changed([](Recipe& r) { r.pipeline.parts.at("encoder").loss_weights["difference"] = 2; }), "xxxx");
  const auto contents = [](const char* of) {
    return [of](Recipe& r) { r.pipeline.parts.at("encoder").contents[of] = "changed"; };
  };
  EXPECT_EQ(changed(contents("weights")), "xxxx");
  EXPECT_EQ(changed([](Recipe& r) { r.data.sources[0].dataset.entry.library_hash = "rebuilt"; }), "xxxx");
  EXPECT_EQ(changed([](Recipe& r) { r.tokenizer.entry.library_hash = "rebuilt"; }), "xxxx");
  EXPECT_EQ(changed([](Recipe& r) { r.tokenizer.parameters.set("lower_case", true); }), "xxxx");
  EXPECT_EQ(changed([](Recipe& r) { r.question_template = "asked: {question}"; }), "--xx");
  EXPECT_EQ(changed([](Recipe& r) { r.prompt_template = "draw {prompt}"; }), "---x");
  EXPECT_NE(keys_of(whole_recipe()), keys_of(whole_recipe(), "other data"));
  EXPECT_NE(keys_of(whole_recipe()), keys_of(whole_recipe(), "data", "cuda:0"));
}

TEST(StageKeys, TheRunsFollowsEveryStage) {
  Recipe recipe = whole_recipe();
  const auto key = [&](const std::string& data) { return StageKeys(recipe, data, "words", "cpu").run(); };
  const std::string before = key("data");
  EXPECT_EQ(key("data"), before);
  EXPECT_NE(key("other data"), before);
  recipe.stages[3].steps = 13;
  EXPECT_NE(key("data"), before);
}

TEST(StageKeys, FeaturesFollowTheEncoderAlone) {
  const Recipe recipe = whole_recipe();
  StageKeys keys(recipe, "data", "words", "cpu");
  const std::string untrained = keys.features("encoder");
  keys.next(recipe.stages[0]);
  const std::string trained = keys.features("encoder");
  EXPECT_NE(untrained, trained);
  keys.next(recipe.stages[2]);
  EXPECT_EQ(keys.features("encoder"), trained);
}

// A link decides the stages that learn it and what follows from them, and no stage of the links before it.
TEST(StageKeys, OfLinksChangeWithTheLinksThatTheyRead) {
  const auto with_links = [](Recipe& r) {
    LinkChoice second{.target = "encoder",
                      .denoiser = "generation.1.denoiser",
                      .sampler = "generation.1.sampler",
                      .solver = {},
                      .guidance = {},
                      .place = "generation.1"};
    for (const std::string& role : {second.denoiser, second.sampler}) {
      r.pipeline.parts[role] = r.pipeline.parts.at(role.substr(role.rfind('.') + 1));
    }
    r.pipeline.generation.push_back(second);
    Stage stage = r.stages.back();
    stage.name = "second";
    stage.train = {second.denoiser};
    r.stages.push_back(stage);
  };
  const auto keys_after = [&](const std::function<void(Recipe&)>& change) {
    Recipe recipe = whole_recipe();
    with_links(recipe);
    change(recipe);
    return keys_of(recipe);
  };
  const auto before = keys_after([](Recipe&) {});
  const auto changed_by = [&](const std::string& role) {
    const auto after = keys_after([&](Recipe& r) { r.pipeline.parts.at(role).entry.library_hash = "rebuilt"; });
    std::string result;
    for (std::size_t i = 0; i < before.size(); ++i) result += before[i] == after[i] ? '-' : 'x';
    return result;
  };
  EXPECT_EQ(changed_by("generation.1.denoiser"), "----x");
  EXPECT_EQ(changed_by("generation.1.sampler"), "----x");
  EXPECT_EQ(changed_by("denoiser"), "---x-");
  EXPECT_EQ(changed_by("encoder"), "xxxxx");
  const auto other = keys_after([](Recipe& r) {
    r.pipeline.parts["understanding.1"] = r.pipeline.parts.at("encoder");
    r.pipeline.understanding.emplace_back("understanding.1");
    r.pipeline.generation.back().target = "understanding.1";
  });
  const auto same = keys_after([](Recipe& r) {
    r.pipeline.parts["understanding.1"] = r.pipeline.parts.at("encoder");
    r.pipeline.understanding.emplace_back("understanding.1");
  });
  EXPECT_EQ(other[3], same[3]);
  EXPECT_NE(other[4], same[4]) << "another target";
  EXPECT_NE(before[3], before[4]);
}

}  // namespace
}  // namespace blip3u::testing
