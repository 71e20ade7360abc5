// The tasks of one reply each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "scenes/asking.h"
#include "scenes/scripted.h"

namespace blip3u::scenes {
namespace {

using testing::HasSubstr;

void add_prompts(Samples& samples) {
  samples.draw("a red circle", "single_object", "any: 1 any red circle");
  samples.draw("a star", "single_object", "any: 1 any any star");
  samples.draw("a star and a cross", "two_object", "any: 1 any any star, 1 any any cross");
  samples.draw("two squares", "counting", "any: 2 any any square");
  samples.draw("a blue square left of a star", "position", "any: 1 any blue square, 1 any any star (left of)");
  samples.draw("a small green cross by night", "full", "night: 1 small green cross");
  samples.draw("a pink star", "colors", "any: 1 any pink star", "pair");
  samples.draw("paint one blue star", "colors", "any: 1 any blue star", "no", "held_out");
}

TEST(SceneTasks, GenerationScoresEachTypeAndWhatTrainingDidNotSee) {
  Samples samples;
  add_prompts(samples);
  Scripted model(samples);
  model.pictures["a star|"] = render({.mood = 0, .objects = {{.shape = 4, .x = 0.5, .y = 0.5}}}, side);
  const TaskResult result = run("scenes/generation", model, samples);
  // Single objects 1 of 2; two objects, counting and position 1 of 1; `full` is none of GenEval's types.
  EXPECT_DOUBLE_EQ(score(result, "generation/seen").value, 3.5 / 4);
  EXPECT_EQ(score(result, "generation/seen").count, 5);
  EXPECT_DOUBLE_EQ(score(result, "generation/seen/single_object").value, 0.5);
  EXPECT_EQ(score(result, "generation/seen/full").value, 1);
  EXPECT_EQ(score(result, "generation/unseen_pairs").value, 1);
  EXPECT_EQ(score(result, "generation/unseen_wordings").value, 1);
  EXPECT_EQ(score(result, "generation/unseen_wordings/shuffled_prompts").value, 1) << "one prompt has no other";
  EXPECT_LT(score(result, "generation/seen/shuffled_prompts").value, 0.5);
  EXPECT_TRUE(score(result, "generation/seen/shuffled_prompts").reference);
  // Objects: all but the star of 8 named things.
  EXPECT_DOUBLE_EQ(score(result, "generation/seen/facts_of_object").value, 7.0 / 8);
  EXPECT_EQ(score(result, "generation/seen/facts_of_relation").value, 1);
  EXPECT_EQ(score(result, "generation/seen/of_4_facts").count, 2) << "the relation, and the full description";
  EXPECT_EQ(score(result, "generation/seen/unreadable").value, 0);
}

TEST(SceneTasks, GenerationTellsStrictFromGenevals) {
  Samples samples;
  add_prompts(samples);
  Scripted model(samples);
  Scene more = {.mood = 0,
                .objects = {{.shape = 0, .colour = 0, .x = 0.3, .y = 0.3}, {.shape = 4, .x = 0.7, .y = 0.7}}};
  model.pictures["a red circle|"] = render(more, side);
  const TaskResult result = run("scenes/generation", model, samples);
  EXPECT_DOUBLE_EQ(score(result, "generation/seen").value, 3.5 / 4);
  EXPECT_DOUBLE_EQ(score(result, "generation/seen/geneval_rules").value, 1);
  EXPECT_EQ(score(result, "generation/seen/geneval_rules").protocol, "scenes_geneval@1");
}

// The variance of the mean of shares p_t of n_t is the sum of p_t (1 - p_t) / n_t over the square of their number.
TEST(SceneTasks, GenerationsIntervalIsThatOfAMeanOfShares) {
  Samples samples;
  for (int i = 0; i < 40; ++i) {
    samples.draw("one " + std::to_string(i), "single_object", "day: 1 any red circle");
    samples.draw("two " + std::to_string(i), "two_object", "day: 1 any any star, 1 any any cross");
  }
  Scripted model(samples);
  for (int i = 0; i < 20; ++i) model.pictures["one " + std::to_string(i) + "|"] = render({}, side);
  const Score mean = score(run("scenes/generation", model, samples), "generation/seen");
  EXPECT_DOUBLE_EQ(mean.value, 0.75);
  const double deviation = std::sqrt(0.25 / 40 / 4);
  EXPECT_NEAR(mean.low, 0.75 - 1.96 * deviation, 0.02);
  EXPECT_NEAR(mean.high, 0.75 + 1.96 * deviation, 0.02);
}

// The same pictures in fewer, larger clusters tell less.
TEST(SceneTasks, PicturesOfOnePromptWidenTheInterval) {
  Clustered apart, together;
  for (int i = 0; i < 80; ++i) {
    apart.add(i < 40 ? 1 : 0, i);
    together.add(i < 40 ? 1 : 0, i / 8);
  }
  const Score alone = mean_over_types("x", "y", {&apart}), grouped = mean_over_types("x", "y", {&together});
  EXPECT_EQ(alone.value, 0.5);
  EXPECT_EQ(grouped.value, 0.5);
  EXPECT_NEAR(alone.high - alone.low, 2 * 1.96 * std::sqrt(0.25 / 80), 0.02);
  EXPECT_NEAR((grouped.high - grouped.low) / (alone.high - alone.low), std::sqrt(8.0), 0.3);
}

TEST(SceneTasks, GenerationCanBeCutShort) {
  Samples samples;
  add_prompts(samples);
  Scripted model(samples);
  run("scenes/generation", model, samples, {{"images", std::int64_t{1}}});
  EXPECT_EQ(model.asked.size(), 7U) << "the second of the single objects is left out";
  EXPECT_THAT(model.asked, testing::Not(testing::Contains("a star|")));
}

TEST(SceneTasks, ReconstructionIsTheCeiling) {
  Samples samples;
  add_prompts(samples);
  Scripted model(samples);
  const TaskResult perfect = run("scenes/reconstruction", model, samples);
  EXPECT_EQ(score(perfect, "reconstruction").value, 1);
  EXPECT_EQ(score(perfect, "reconstruction/in_place").value, 1);
  EXPECT_EQ(score(perfect, "reconstruction/scorer_on_real").value, 1);
  EXPECT_EQ(score(perfect, "reconstruction/absolute_error").value, 0);
  model.blank = true;
  const TaskResult empty = run("scenes/reconstruction", model, samples);
  EXPECT_EQ(score(empty, "reconstruction").value, 0);
  EXPECT_EQ(score(empty, "reconstruction/scorer_on_real").value, 1);
  EXPECT_GT(score(empty, "reconstruction/absolute_error").value, 0);
}

TEST(SceneTasks, QuestionsAreScoredByKindBesideABlindGuesser) {
  Samples samples;
  samples.ask("is there a star?", "exist", "yes");
  samples.ask("how many stars are there?", "count", "2");
  samples.ask("which colour has the star?", "colour", "red");
  samples.ask("", "", "a red star by day.", "caption");
  samples.train = samples.test;
  samples.train[1].messages[1].content[0].text = "3";
  samples.train.push_back(samples.train[1]);
  Scripted model(samples);
  model.texts["<image>|is there a star?|"] = " Yes.";
  model.texts["<image>|which colour has the star?|"] = "blue";
  const TaskResult result = run("scenes/questions", model, samples);
  EXPECT_DOUBLE_EQ(score(result, "questions").value, 2.0 / 3);
  EXPECT_EQ(score(result, "questions/exist").value, 1);
  EXPECT_EQ(score(result, "questions/colour").value, 0);
  EXPECT_EQ(score(result, "captions").value, 1);
  EXPECT_DOUBLE_EQ(score(result, "questions/blind_guesser").value, 2.0 / 3) << "training says 3 stars";
  EXPECT_EQ(score(result, "questions/count/blind_guesser").value, 0);
}

TEST(SceneTasks, EditsMustChangeWhatIsNamedAndKeepTheRest) {
  Samples samples;
  const Scene source = {.mood = 0, .objects = {{.shape = 0, .x = 0.25, .y = 0.25}, {.shape = 3, .x = 0.7, .y = 0.7}}};
  Scene recoloured = source, deleted = source;
  recoloured.objects[0].colour = 4;
  deleted.objects.pop_back();
  samples.edit("make the circle blue", "recolour", source, recoloured);
  samples.edit("remove the star", "delete", source, deleted);
  Scripted model(samples);
  const TaskResult perfect = run("scenes/editing", model, samples);
  for (const char* name : {"editing/changed", "editing/all_else_kept", "editing/both", "editing/recolour/both"}) {
    EXPECT_EQ(score(perfect, name).value, 1) << name;
  }
  model.pictures["<image>|remove the star|"] = render(source, side);
  Scene moved = recoloured;
  moved.objects[1].x -= 0.2;
  model.pictures["<image>|make the circle blue|"] = render(moved, side);
  const TaskResult worse = run("scenes/editing", model, samples);
  EXPECT_EQ(score(worse, "editing/changed").value, 0.5);
  EXPECT_EQ(score(worse, "editing/all_else_kept").value, 0.5);
  EXPECT_EQ(score(worse, "editing/both").value, 0);
  EXPECT_EQ(score(worse, "editing/delete/changed").value, 0);
  EXPECT_EQ(score(worse, "editing/delete/all_else_kept").value, 1);
}

TEST(SceneTasks, ReasoningIsAskedForAtOnceAndAfterTheModelsOwnText) {
  Samples samples;
  samples.add("r",
              {{Role::system, {text_part("think")}},
               {Role::user, {text_part("the shape with three sides")}},
               {Role::assistant, {text_part("a triangle.", 1), image_part(0, 1)}}},
              {render({.mood = 0, .objects = {{.shape = 2, .x = 0.5, .y = 0.5}}}, side)},
              {{"kind", "reasoning"}, {"type", "knowledge"}, {"wanted", "any: 1 any any triangle"}});
  Scripted model(samples);
  model.pictures["the shape with three sides|"] = render({}, side);
  const TaskResult result = run("scenes/reasoning", model, samples);
  EXPECT_EQ(score(result, "reasoning/without_text").value, 0);
  EXPECT_EQ(score(result, "reasoning/without_text/knowledge").value, 0);
  EXPECT_EQ(score(result, "reasoning/with_text/knowledge").value, 1);
  EXPECT_EQ(score(result, "reasoning/text").value, 1);
  EXPECT_THAT(model.asked,
              testing::UnorderedElementsAre("the shape with three sides|", "think|the shape with three sides|"));
  model.texts["think|the shape with three sides|"] = "a square.";  // and no picture
  const TaskResult wrong = run("scenes/reasoning", model, samples);
  EXPECT_EQ(score(wrong, "reasoning/text").value, 0);
  EXPECT_EQ(score(wrong, "reasoning/with_text").value, 0);
}

TEST(SceneTasks, ChaptersOfOtherKindsArePassedOver) {
  Samples samples;
  for (int i = 0; i < 8; ++i) samples.ask("is there a star?", "exist", "yes");
  add_prompts(samples);
  const Dataset* const all = &samples;
  EXPECT_NE(make<Task>(Kind::task, "scenes/generation")->missing_for({{&all, 1}, side}), "");
  samples.test.erase(samples.test.begin());
  EXPECT_EQ(make<Task>(Kind::task, "scenes/generation")->items({{&all, 1}, side}, 1).size(), 8U);
}

TEST(SceneTasks, SayWhatTheDataSetLacks) {
  const Samples none;
  const Dataset* const all = &none;
  for (const char* name :
       {"generation", "reconstruction", "editing", "questions", "reasoning", "dialogue", "modality", "round_trip"}) {
    const auto task = make<Task>(Kind::task, std::string("scenes/") + name);
    EXPECT_THAT(task->missing_for({{&all, 1}, side}), HasSubstr("out of the recipe")) << name;
  }
}

}  // namespace
}  // namespace blip3u::scenes
