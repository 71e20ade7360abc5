// The tasks, loaded as a plugin, on hand-made samples and a model that replies what each test says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "blip3u/dataset.h"
#include "blip3u/error.h"
#include "blip3u/image.h"
#include "blip3u/model.h"
#include "blip3u/task.h"
#include "components.h"
#include "evaluating/evaluate.h"
#include "scenes/asking.h"
#include "scenes/placing.h"
#include "scenes/render.h"
#include "temporary_folder.h"

namespace blip3u::scenes {
namespace {

using testing::HasSubstr;
using Labels = std::vector<std::pair<std::string, std::string>>;

constexpr std::int64_t side = 32;

std::string texts_of(const std::vector<Message>& messages) {
  std::string texts;
  for (const Message& message : messages) {
    for (const Part& part : message.content) texts += part.type == Part::Type::text ? part.text + "|" : "<image>|";
  }
  return texts;
}

class Samples : public Dataset, public Indexed {
 public:
  std::vector<Chapter> chapters(Split split) const override { return {{"samples", samples(split)}}; }
  std::unique_ptr<Reader> open(Split split, std::int64_t) const override { return read_in_order(*this, split); }
  std::string fingerprint() const override { return "samples"; }
  std::int64_t samples(Split split) const override { return std::ssize(split == Split::test ? test : train); }
  Sample sample(Split split, std::int64_t index) const override {
    return (split == Split::test ? test : train)[static_cast<std::size_t>(index)];
  }

  Sample& add(std::string id, std::vector<Message> messages, std::vector<Tensor> images, Labels labels) {
    test.push_back({.id = std::move(id), .messages = std::move(messages), .images = std::move(images)});
    test.back().labels = std::move(labels);
    return test.back();
  }

  void draw(const std::string& prompt, const std::string& type, const std::string& wanted,
            const std::string& held_out = "no", const std::string& wording = "seen") {
    const Scene scene = realise(parse_description(wanted), engine);
    add(prompt, {{Role::user, {text_part(prompt)}}, {Role::assistant, {image_part(0, 1)}}}, {render(scene, side)},
        {{"kind", "draw"},
         {"type", type},
         {"wanted", wanted},
         {"scene", to_text(scene)},
         {"held_out", held_out},
         {"wording", wording}});
  }

  void ask(const std::string& question, const std::string& type, const std::string& answer,
           const std::string& kind = "question") {
    add(question + std::to_string(test.size()),
        {{Role::user, {image_part(0), text_part(question)}}, {Role::assistant, {text_part(answer, 1)}}},
        {render({}, side)}, {{"kind", kind}, {"type", type}, {"answer", answer}});
  }

  void edit(const std::string& request, const std::string& type, const Scene& source, const Scene& target) {
    add(request, {{Role::user, {image_part(0), text_part(request)}}, {Role::assistant, {image_part(1, 1)}}},
        {render(source, side), render(target, side)},
        {{"kind", "edit"}, {"type", type}, {"source", to_text(source)}, {"target", to_text(target)}});
  }

  std::vector<Sample> test, train;
  Engine engine{3};
};

/// Replies what the samples' own assistant does, or what a test says; keeps what it was asked.
class Scripted : public Model {
 public:
  explicit Scripted(const Samples& samples) {
    for (const Sample& sample : samples.test) {
      for (std::size_t i = 0; i < sample.messages.size(); ++i) {
        const Message& message = sample.messages[i];
        if (message.role != Role::assistant) continue;
        std::vector<Message> before(sample.messages.begin(), sample.messages.begin() + static_cast<std::ptrdiff_t>(i));
        for (const Part& part : message.content) {
          if (part.type == Part::Type::text) {
            texts[texts_of(before)] = part.text;
            before.push_back({Role::assistant, {part}});
          } else {
            pictures[texts_of(before)] = sample.images.at(static_cast<std::size_t>(part.image));
          }
        }
      }
    }
  }

  std::string missing_for(Ability) const override { return {}; }
  Tensor classify(const Tensor&, const std::vector<std::string>&) override { throw Error("not asked for"); }
  Tensor embed_images(const Tensor&) override { throw Error("not asked for"); }
  Tensor embed_texts(const std::vector<std::string>&) override { throw Error("not asked for"); }
  std::vector<double> log_likelihood(std::span<const Request>, const std::vector<std::string>&) override {
    throw Error("not asked for");
  }
  Tensor reconstruct(const Tensor& images, const std::vector<std::uint64_t>&) override {
    return blank ? from_bytes(render({}, side)).expand_as(images).clone() : images.clone();
  }
  std::vector<Reply> respond(std::span<const Request> requests, const Events& events) override {
    std::vector<Reply> replies;
    for (const Request& request : requests) {
      const std::string key = texts_of(request.messages);
      asked.push_back(key);
      Reply reply{.message = {Role::assistant, {}}};
      const bool chooses = request.want == Want::any;
      if (request.want == Want::text || (chooses && texts.contains(key))) {
        reply.message.content = {text_part(texts.at(key))};
        if (const auto found = pictures.find(key + texts.at(key) + "|"); chooses && found != pictures.end()) {
          reply.message.content.push_back(image_part(std::ssize(request.images)));
          reply.images = {from_bytes(found->second)};
        }
      } else {
        reply.message.content = {image_part(std::ssize(request.images))};
        reply.images = {from_bytes(blank ? render({}, side) : pictures.at(key))};
      }
      if (events.finished) events.finished(replies.size(), reply);
      replies.push_back(std::move(reply));
    }
    return replies;
  }

  std::map<std::string, std::string> texts;
  std::map<std::string, Tensor> pictures;
  std::vector<std::string> asked;
  bool blank = false;  // makes nothing but the ground of day
};

TaskResult run(const std::string& name, Model& model, const Samples& samples, const Overrides& changes = {}) {
  const TemporaryFolder folder("blip3u-scenes");
  const Dataset* const all = &samples;
  return evaluate(*make<Task>(Kind::task, name, changes), model, {{&all, 1}, side}, 5, folder / "replies", {});
}

const Score& score(const TaskResult& result, const std::string& name) {
  for (const auto& found : result.scores) {
    if (found.name == name) return found;
  }
  throw Error("there is no score " + name);
}

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

void add_dialogue(Samples& samples) {
  const Scene first = {.mood = 1, .objects = {{.shape = 0, .colour = 2, .x = 0.3, .y = 0.3}}};
  Scene second = first;
  second.objects.push_back({.shape = 3, .colour = 6, .x = 0.7, .y = 0.6});
  samples.add("d",
              {{Role::user, {text_part("a yellow circle by night")}},
               {Role::assistant, {image_part(0, 1)}},
               {Role::user, {text_part("how many circles are there?")}},
               {Role::assistant, {text_part("one", 1)}},
               {Role::user, {text_part("add a pink star")}},
               {Role::assistant, {image_part(1, 1)}}},
              {render(first, side), render(second, side)},
              {{"kind", "dialogue"},
               {"turns", "3"},
               {"turn0.kind", "draw"},
               {"turn0.target", to_text(first)},
               {"turn0.wanted", "night: 1 any yellow circle"},
               {"turn1.kind", "question"},
               {"turn1.type", "count"},
               {"turn1.asked", "any: 1 any any circle"},
               {"turn1.answer", "one"},
               {"turn2.kind", "edit"},
               {"turn2.source", to_text(first)},
               {"turn2.target", to_text(second)},
               {"turn2.wanted", "any: 1 any pink star"}});
}

TEST(SceneTasks, DialoguesGoOnWithTheModelsOwnPictures) {
  Samples samples;
  add_dialogue(samples);
  Scripted model(samples);
  const auto right_turns = [&] {
    const TaskResult result = run("scenes/dialogue", model, samples);
    std::vector<double> turns = {score(result, "dialogue").value};
    for (const char* turn : {"1", "2", "3"}) turns.push_back(score(result, std::string("dialogue/turn_") + turn).value);
    return turns;
  };
  using testing::ElementsAre;
  EXPECT_THAT(right_turns(), ElementsAre(1, 1, 1, 1));
  // The model's own circle stands elsewhere: the star must be added to that picture.
  const std::string first = "a yellow circle by night|",
                    third = first + "<image>|how many circles are there?|one|add a pink star|";
  const Object circle{.shape = 0, .colour = 2, .x = 0.3, .y = 0.7}, added{.shape = 3, .colour = 6, .x = 0.7, .y = 0.2};
  model.pictures[first] = render({.mood = 1, .objects = {circle}}, side);
  EXPECT_THAT(right_turns(), ElementsAre(0, 1, 1, 0)) << "the circle jumped to where the script has it";
  model.pictures[third] = render({.mood = 1, .objects = {circle, added}}, side);
  EXPECT_THAT(right_turns(), ElementsAre(1, 1, 1, 1));
  model.pictures[third] = render({.mood = 1, .objects = {added}}, side);
  EXPECT_THAT(right_turns(), ElementsAre(0, 1, 1, 0)) << "the circle is gone";
  model.texts[first + "<image>|how many circles are there?|"] = "two";
  model.pictures[first + "<image>|how many circles are there?|two|add a pink star|"] = render({}, side);
  EXPECT_THAT(right_turns(), ElementsAre(0, 1, 0, 0));
}

TEST(SceneTasks, ModalityIsThatOfTheReply) {
  Samples samples;
  samples.draw("draw a star", "single_object", "any: 1 any any star");
  samples.ask("is there a star?", "exist", "yes");
  Scripted model(samples);
  EXPECT_EQ(score(run("scenes/modality", model, samples), "modality").value, 1);
  model.texts["draw a star|"] = "yes";
  const TaskResult result = run("scenes/modality", model, samples);
  EXPECT_EQ(score(result, "modality/picture").value, 0);
  EXPECT_EQ(score(result, "modality/text").value, 1);
}

/// Draws a red circle beside a blue square and answers what a test says, whatever it is asked.
class Drawing final : public Scripted {
 public:
  using Scripted::Scripted;
  std::vector<Reply> respond(std::span<const Request> requests, const Events&) override {
    std::vector<Reply> replies;
    for (const Request& request : requests) {
      Reply reply{.message = {Role::assistant, {}}};
      const std::string question = request.messages.back().content.back().text;
      if (request.images.empty()) {
        reply.message.content = {image_part(0)};
        const Object circle{.shape = 0, .colour = 0, .x = 0.25, .y = 0.25},
            square{.shape = 1, .colour = 4, .x = 0.7, .y = 0.7};
        reply.images = {from_bytes(render({.mood = 0, .objects = {circle, square}}, side))};
      } else {
        reply.message.content = {text_part(answer(question))};
      }
      replies.push_back(std::move(reply));
    }
    return replies;
  }
  std::function<std::string(const std::string& question)> answer;
};

TEST(SceneTasks, RoundTripsCompareAnswersWithWhatIsDrawn) {
  Samples samples;
  for (int i = 0; i < 6; ++i) samples.draw("a red circle " + std::to_string(i), "colors", "any: 1 any red circle");
  Drawing model(samples);
  // Half of the questions are about red circles, of which there is one; "seven" is never right.
  model.answer = [](const std::string& question) {
    const bool red_circle =
        question.find("red circle") != std::string::npos || question.find("red disc") != std::string::npos;
    const bool counts = question.find("how many") != std::string::npos ||
                        question.find("number") != std::string::npos || question.find("count") != std::string::npos;
    return red_circle ? counts ? "one" : "yes" : "seven";
  };
  const double agreed = score(run("scenes/round_trip", model, samples), "round_trip").value;
  EXPECT_GE(agreed, 0.5);
  EXPECT_LT(agreed, 0.7);
  model.answer = [](const std::string&) { return "seven"; };
  const TaskResult wrong = run("scenes/round_trip", model, samples);
  EXPECT_EQ(score(wrong, "round_trip").value, 0);
  EXPECT_EQ(score(wrong, "round_trip").count, 24);
  EXPECT_EQ(score(wrong, "round_trip/readable").value, 1);
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
