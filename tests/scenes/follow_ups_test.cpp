// The tasks that choose how to reply, or go on after the model's own replies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "scenes/scripted.h"

namespace blip3u::scenes {
namespace {

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

}  // namespace
}  // namespace blip3u::scenes
