// Several encoders and links in a recipe: roles, the wiring of each place, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recipe/fake_catalog.h"

namespace recipe_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

const char* const long_recipe = R"(name: long
data: {plugin: shapes, image_size: 64}
tokenizer: words
pipeline:
  understanding:
    - {plugin: clip, patch: 16}
    - pixels
  backbone: gpt
  generation:
    - {denoiser: mlp, sampler: {plugin: flow_matching, steps: 20}}
    - target: understanding.1
      denoiser: dit
      sampler: ddpm
      solver: {plugin: acme/heun, stretch: 1}
    - {target: {plugin: clip, patch: 32}, denoiser: dit, sampler: flow_matching}
  decoder: {plugin: unclip, tokens: 4}
training:
  - {name: eyes, objective: encoder, train: [understanding.0], steps: 10}
  - {name: first, objective: conversation, text_weight: 0, train: ['generation.0.denoiser:blocks.*'], steps: 10}
  - {name: rest, objective: conversation, train: [backbone], steps: 10}
)";

class Links : public RecipeTest {
 protected:
  std::string refusal_of(const std::string& from, const std::string& to) {
    std::string text = long_recipe;
    text.replace(text.find(from), from.size(), to);
    return refusal(text);
  }
};

TEST_F(Links, HaveRolesAndTheWiringOfTheirPlaces) {
  const blip3u::Recipe recipe = load(long_recipe);
  const blip3u::PipelineChoices& pipeline = recipe.pipeline;
  EXPECT_THAT(pipeline.roles(), ElementsAre("understanding.0", "understanding.1", "generation.2.target", "backbone",
                                            "generation.0.denoiser", "generation.0.sampler", "generation.1.denoiser",
                                            "generation.1.sampler", "generation.1.solver", "generation.2.denoiser",
                                            "generation.2.sampler", "decoder"));
  const auto wiring = [&](const char* role) { return pipeline.parts.at(role).wiring; };
  EXPECT_EQ(wiring("understanding.1").features.tokens, 64);
  ASSERT_EQ(wiring("backbone").reads.size(), 2U);
  EXPECT_EQ(wiring("backbone").reads[0].tokens, 16);
  EXPECT_EQ(wiring("backbone").reads[1].tokens, 64);
  EXPECT_EQ(wiring("generation.0.denoiser").features.tokens, 16);
  EXPECT_EQ(wiring("generation.0.denoiser").previous.tokens, 0);
  EXPECT_EQ(wiring("generation.1.solver").features.tokens, 64);
  EXPECT_EQ(wiring("generation.1.denoiser").previous.tokens, 16);
  EXPECT_EQ(wiring("generation.2.denoiser").features.tokens, 4);
  EXPECT_EQ(wiring("generation.2.denoiser").previous.tokens, 64);
  EXPECT_EQ(wiring("decoder").features.tokens, 4);
  EXPECT_EQ(pipeline.decoded(), "generation.2.target");
  EXPECT_THAT(blip3u::learned_links(recipe.stages[0], pipeline), ElementsAre());
  EXPECT_THAT(blip3u::learned_links(recipe.stages[1], pipeline), ElementsAre(0));
  EXPECT_THAT(blip3u::learned_links(recipe.stages[2], pipeline), ElementsAre(0, 1, 2));
}

TEST_F(Links, AreTheSameAgainFromTheResolvedRecipe) {
  const blip3u::Recipe recipe = load(long_recipe), again = load(recipe.resolved);
  EXPECT_EQ(again.resolved, recipe.resolved);
  EXPECT_EQ(again.hash, recipe.hash);
  EXPECT_EQ(again.pipeline.roles(), recipe.pipeline.roles());
}

TEST_F(Links, AreChangedByOverrides) {
  const blip3u::Recipe recipe =
      load(long_recipe, {"pipeline.generation.0.sampler.steps=7", "pipeline.understanding.clip.patch=32"});
  EXPECT_EQ(recipe.pipeline.parts.at("generation.0.sampler").parameters.integer("steps"), 7);
  EXPECT_EQ(recipe.pipeline.parts.at("understanding.0").wiring.features.tokens, 4);
}

TEST_F(Links, OfTheShortFormAreOne) {
  const blip3u::Recipe recipe = load(good_recipe);
  EXPECT_THAT(recipe.pipeline.roles(), ElementsAre("encoder", "backbone", "denoiser", "sampler", "decoder"));
  ASSERT_EQ(recipe.pipeline.generation.size(), 1U);
  EXPECT_EQ(recipe.pipeline.generation[0].target, "encoder");
  EXPECT_EQ(recipe.pipeline.parts.at("sampler").wiring.features.tokens, 16);
}

TEST_F(Links, ThatCannotWork) {
  EXPECT_THAT(
      refusal_of("  backbone: gpt\n", "  backbone: gpt\n  encoder: clip\n  solver: ddpm\n"),
      testing::AllOf(HasSubstr("r.yaml:9:3: `encoder` is short for `understanding` with one entry, and both are "
                               "given; remove one, set the base's to null, or change the entry, as in "
                               "`pipeline.understanding.0`"),
                     HasSubstr("r.yaml:10:3: `solver` is short for `generation`")));
  EXPECT_THAT(refusal_of("denoiser: mlp, sampler", "sampler"),
              StartsWith("r.yaml:10:7: missing key `denoiser` in this link of `generation`"));
  EXPECT_THAT(refusal_of("denoiser: mlp, sampler", "denoiser: mlp, smapler"),
              HasSubstr("r.yaml:10:23: unknown key `smapler` in this link of `generation`; did you mean `sampler`?"));
  EXPECT_THAT(refusal_of("target: understanding.1", "target: understanding.2"),
              StartsWith("r.yaml:11:15: `target` must be an encoder, or name one that is read with (understanding.0, "
                         "understanding.1), is `understanding.2`"));
  EXPECT_THAT(refusal_of("[understanding.0]", "[encoder]"),
              StartsWith("r.yaml:18:46: `encoder` does not learn here; objective `encoder` can train understanding.0, "
                         "understanding.1, generation.2.target"));
  EXPECT_THAT(refusal_of("[understanding.0]", "[understanding.0, understanding.1]"),
              HasSubstr("objective `encoder` trains one encoder; give each a stage of its own"));
  EXPECT_THAT(refusal_of("train: [backbone]", "train: [backbone, understanding.1]"),
              HasSubstr("`understanding.1` makes what pictures are learned from, and must stand still"));
  EXPECT_THAT(refusal_of("patch: 32}, denoiser: dit", "patch: 48}, denoiser: dit"),
              HasSubstr("choose a patch that divides the image size"));
}

TEST_F(Links, AreListsThatAreNotEmpty) {
  EXPECT_THAT(refusal("name: x\ndata: shapes\ntokenizer: words\npipeline: {understanding: [], generation: dit}\n"),
              testing::AllOf(HasSubstr("r.yaml:4:27: `understanding` must be a list of one encoder or more"),
                             HasSubstr("r.yaml:4:43: `generation` must be a list of one link or more")));
}

TEST_F(Links, BesideTheShortEncoder) {
  std::string text = long_recipe;
  const auto begin = text.find("  understanding:"), end = text.find("  backbone:");
  text.replace(begin, end - begin, "  encoder: pixels\n");
  text.replace(text.find("understanding.1"), 15, "encoder");
  text.replace(text.find("[understanding.0]"), 17, "[encoder]");
  const blip3u::Recipe recipe = load(text);
  EXPECT_EQ(recipe.pipeline.generation[1].target, "encoder");
  EXPECT_EQ(load(recipe.resolved).resolved, recipe.resolved);
}

TEST_F(Links, WithoutWhatTheyNeed) {
  std::string text = long_recipe;
  const auto begin = text.find("  understanding:"), end = text.find("  backbone:");
  text.erase(begin, end - begin);
  EXPECT_THAT(refusal(text), HasSubstr("missing key `target` in this link of `generation`"));
  EXPECT_THAT(
      refusal(std::string(good_recipe).replace(std::string(good_recipe).find("  sampler:\n"), 11, "  solver:\n")),
      HasSubstr("pictures are made with a sampler, but this pipeline has no sampler"));
}

}  // namespace
}  // namespace recipe_test
