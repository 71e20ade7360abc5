#include "evaluating/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "blip3u/random.h"
#include "fakes.h"
#include "io/files.h"
#include "message_of.h"
#include "temporary_folder.h"

namespace blip3u {
namespace {

using Ability = Model::Ability;
using ::testing::ElementsAre;
using testing::FakeModel;
using testing::FakeTask;
using testing::grey;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr std::uint64_t seed = 5;

std::vector<Item> questions(std::size_t count) {
  std::vector<Item> items;
  for (std::size_t i = 0; i < count; ++i) {
    items.push_back(
        {.id = "question/" + std::to_string(i), .messages = {{Role::user, {text_part("what " + std::to_string(i))}}}});
  }
  return items;
}

std::uint64_t seed_of(const std::string& id, std::uint64_t reply) {
  return derive_seed(derive_seed(derive_seed(seed, "items"), id), reply);
}

class Evaluate : public ::testing::Test {
 protected:
  TaskResult run(const Task& task) { return evaluate(task, model_, data_, seed, folder_ / "acme.quiz", {}); }
  std::string failure(const Task& task) {
    return message_of([&] { run(task); });
  }
  std::size_t lines() const {
    return static_cast<std::size_t>(std::ranges::count(read_text(folder_ / "acme.quiz/replies.jsonl"), '\n'));
  }

  TemporaryFolder folder_;
  FakeModel model_;
  TaskData data_;
};

std::vector<std::string> outputs_of(const TaskResult& result) {
  std::vector<std::string> outputs;
  for (const ItemRecord& record : result.records) outputs.push_back(record.output);
  return outputs;
}

TEST_F(Evaluate, AsksInBatchesAndTellsHowFarItIs) {
  std::vector<std::int64_t> done;
  const FakeTask task(Ability::answer, questions(600));
  const auto result = evaluate(task, model_, data_, seed, folder_ / "acme.quiz", [&](auto so_far, auto total) {
    EXPECT_EQ(total, 600);
    done.push_back(so_far);
  });
  EXPECT_THAT(model_.calls, ElementsAre(256, 256, 88));
  EXPECT_THAT(done, ElementsAre(0, 256, 512, 600));
  ASSERT_THAT(result.records, SizeIs(600));
  EXPECT_EQ(result.records[7].output, std::to_string(seed_of("question/7", 0)) + " what 7");
  EXPECT_EQ(result.scores.at(0).count, 600);
}

TEST_F(Evaluate, AsksOnlyForTheRestAfterAStop) {
  const FakeTask task(Ability::answer, questions(600));
  model_.fail_at = 2;
  EXPECT_THAT(failure(task), HasSubstr("the power failed"));
  EXPECT_EQ(lines(), 512u);
  FakeModel again;
  const auto result = evaluate(task, again, data_, seed, folder_ / "acme.quiz", {});
  EXPECT_THAT(again.calls, ElementsAre(88));
  FakeModel whole;
  EXPECT_EQ(outputs_of(result), outputs_of(evaluate(task, whole, data_, seed, folder_ / "other", {})));
}

TEST_F(Evaluate, AsksAgainWhatWasCutOffAndWhatIsAskedOtherwise) {
  auto items = questions(4);
  run(FakeTask(Ability::answer, items));
  const auto file = folder_ / "acme.quiz/replies.jsonl";
  std::filesystem::resize_file(file, std::filesystem::file_size(file) - 3);
  items[0].messages[0].content[0].text = "why 0";
  items.erase(items.begin() + 1);  // its reply is of no item now
  model_.calls.clear();
  const auto result = run(FakeTask(Ability::answer, items));
  EXPECT_THAT(model_.calls, ElementsAre(2));
  ASSERT_THAT(result.records, SizeIs(3));
  EXPECT_THAT(result.records[0].output, HasSubstr("why 0"));
  EXPECT_THAT(result.records[2].output, HasSubstr("what 3"));
  model_.calls.clear();
  run(FakeTask(Ability::answer, items));
  EXPECT_THAT(model_.calls, ::testing::IsEmpty());
}

TEST_F(Evaluate, GivesEachItemItsRepliesWhateverTheOrder) {
  auto items = questions(9);
  for (Item& item : items) item.replies = 30;
  const auto forwards = run(FakeTask(Ability::generate, items));
  EXPECT_THAT(model_.calls, ElementsAre(60, 60, 60, 60, 30));
  std::ranges::reverse(items);
  const auto backwards = evaluate(FakeTask(Ability::generate, items), model_, data_, seed, folder_ / "reversed", {});
  ASSERT_THAT(forwards.records, SizeIs(270));
  for (std::size_t i = 0; i < 9; ++i) {
    for (std::size_t k = 0; k < 30; ++k) {
      const ItemRecord &there = forwards.records[30 * i + k], &here = backwards.records[30 * (8 - i) + k];
      EXPECT_EQ(there.id, here.id);
      EXPECT_EQ(there.score, here.score);
      EXPECT_EQ(there.score, static_cast<double>(seed_of(there.id, k) % 256));
    }
  }
}

TEST_F(Evaluate, ScoresStoredRepliesAgain) {
  auto items = questions(3);
  items[1].id = "a\\\"odd/../id\n\u00e9";
  for (Item& item : items) item.replies = 2;
  const FakeTask task(Ability::generate, items);
  const auto message = message_of([&] { score_again(task, data_, seed, folder_ / "acme.quiz"); });
  EXPECT_THAT(message, HasSubstr("acme.quiz: the replies to 3 of 3 items are missing"));
  const auto first = run(task), second = score_again(task, data_, seed, folder_ / "acme.quiz");
  EXPECT_EQ(first.scores.at(0).value, second.scores.at(0).value);
  ASSERT_EQ(second.records.size(), 6u);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(first.records[i].score, second.records[i].score);
}

TEST_F(Evaluate, GoesOnWithTheModelsOwnReplies) {
  auto items = questions(3);
  const Message more{Role::user, {text_part("and now?")}};
  items[1].follow_ups = {more};
  items[2].follow_ups = {more, more};
  const FakeTask task(Ability::generate, items);
  const auto result = run(task);
  EXPECT_THAT(model_.calls, ElementsAre(3, 2, 1));
  ASSERT_EQ(model_.last_messages.size(), 5u);  // two of its own among three of the user
  EXPECT_EQ(model_.last_messages[3].role, Role::assistant);
  EXPECT_EQ(model_.last_messages[3].content.at(0).image, 1);
  EXPECT_EQ(result.records[0].output, "");
  EXPECT_EQ(result.records[2].output, " >  1 >  1");
  const auto again = score_again(task, data_, seed, folder_ / "acme.quiz");
  EXPECT_EQ(again.records[2].output, result.records[2].output);

  items[2].follow_ups[1].content[0].text = "and then?";
  model_.calls.clear();
  run(FakeTask(Ability::generate, items));
  EXPECT_THAT(model_.calls, ElementsAre(1, 1, 1));  // only that item, from its beginning

  items[2].follow_ups[1].role = Role::assistant;
  EXPECT_THAT(failure(FakeTask(Ability::generate, items)), HasSubstr("a follow-up is not the user's"));
  EXPECT_THAT(failure(FakeTask(Ability::reconstruct, {items[2]})), HasSubstr("its task asks for no replies"));
}

TEST_F(Evaluate, AsksAgainForALostPicture) {
  const FakeTask task(Ability::generate, questions(3));
  run(task);
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "acme.quiz")) {
    if (entry.path().extension() != ".png") continue;
    std::filesystem::remove(entry.path());
    break;
  }
  model_.calls.clear();
  run(task);
  EXPECT_THAT(model_.calls, ElementsAre(1));
}

TEST_F(Evaluate, ClassifiesItemsOfEqualChoicesTogether) {
  std::vector<Item> items;
  for (std::int64_t i = 0; i < 6; ++i) {
    items.push_back({.id = std::to_string(i),
                     .images = {grey(i % 3)},
                     .choices = i < 4 ? std::vector<std::string>{"", "a", "ab"} : std::vector<std::string>{"ab", "a"}});
  }
  data_.image_size = 2;
  const auto result = run(FakeTask(Ability::classify, items));
  EXPECT_THAT(model_.calls, ::testing::UnorderedElementsAre(4, 2));
  std::vector<double> best;
  for (const ItemRecord& record : result.records) best.push_back(record.score);
  EXPECT_THAT(best, ElementsAre(0, 1, 2, 0, 1, 0));
}

TEST_F(Evaluate, ChoosesTheLikeliestAndKeepsWhatIsImpossible) {
  auto items = questions(3);
  for (Item& item : items) item.choices = {"what 2", "what 1", "what 0"};
  items[0].choices.pop_back();  // none is likely
  const auto result = run(FakeTask(Ability::choose, items));
  EXPECT_THAT(model_.calls, ElementsAre(8));
  EXPECT_EQ(result.records[1].score, 1);
  EXPECT_EQ(result.records[2].score, 0);
}

TEST_F(Evaluate, ReconstructsTheFirstPictureAtTheModelsSize) {
  std::vector<Item> items = {{.id = "a", .images = {grey(9, 6)}, .replies = 2}, {.id = "b", .images = {grey(200, 4)}}};
  data_.image_size = 4;
  const auto result = run(FakeTask(Ability::reconstruct, items));
  EXPECT_THAT(model_.reconstructed_seeds, ElementsAre(seed_of("a", 0), seed_of("a", 1), seed_of("b", 0)));
  EXPECT_EQ(result.records[1].score, 9);
  EXPECT_EQ(result.records[2].score, 200);
}

TEST_F(Evaluate, ConvertsAPictureOnceForAllThatAskAboutIt) {
  const Tensor shared = grey(3);
  auto items = questions(5);
  for (Item& item : items) {
    item.images = {shared};
    item.messages[0].content.push_back(image_part(0));
  }
  const auto result = run(FakeTask(Ability::answer, items));
  EXPECT_EQ(model_.pictures.size(), 1u);
  EXPECT_THAT(result.records[4].output, ::testing::EndsWith(" what 4 3"));
}

TEST_F(Evaluate, RefusesPicturesThatAreNotBytes) {
  std::vector<Item> one = questions(1);
  one[0].images = {grey(0, 4).to(at::kFloat)};
  EXPECT_THAT(failure(FakeTask(Ability::answer, one)),
              HasSubstr("task acme.quiz: it lists the item `question/0`, but"));
}

TEST_F(Evaluate, BlamesTheTaskForWhatItBreaks) {
  const auto fault = [&](const FakeTask& task) {
    try {
      run(task);
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), Fault::plugin);
      return std::string(error.what());
    }
    return std::string();
  };
  FakeTask throwing(Ability::answer, questions(1)), forgetting(Ability::answer, questions(2)),
      showing(Ability::answer, questions(1));
  throwing.throws = forgetting.forgets = showing.shows_floats = true;
  EXPECT_EQ(fault(throwing), "task acme.quiz: it failed in items(): no such item; report this to its author");
  EXPECT_THAT(fault(forgetting), HasSubstr("0 records for 1 replies to `question/0`"));
  EXPECT_THAT(fault(showing), HasSubstr("not [3,H,W] uint8 on the CPU"));
  auto items = questions(2);
  items[1].id = items[0].id;
  EXPECT_THAT(fault(FakeTask(Ability::answer, items)), HasSubstr("another has the same id"));
  items[1].id = "\xff";
  EXPECT_THAT(fault(FakeTask(Ability::answer, items)), HasSubstr("its id is not UTF-8"));
  items[1] = {.id = "b", .messages = {{Role::user, {image_part(0)}}}};
  EXPECT_THAT(fault(FakeTask(Ability::answer, items)), HasSubstr("a part names image 0, but there are 0"));
  EXPECT_THAT(fault(FakeTask(Ability::reconstruct, questions(1))), HasSubstr("it has no picture"));
  EXPECT_THAT(fault(FakeTask(Ability::choose, questions(1))), HasSubstr("it has no choices"));
  EXPECT_THAT(fault(FakeTask(Ability::answer, {})), HasSubstr("lists no items"));
}

TEST_F(Evaluate, NamesADamagedLine) {
  run(FakeTask(Ability::answer, questions(2)));
  std::ofstream(folder_ / "acme.quiz/replies.jsonl", std::ios::app) << "{\"id\": 3}\n";
  EXPECT_THAT(failure(FakeTask(Ability::answer, questions(2))),
              HasSubstr("replies.jsonl:3: not the replies to an item"));
}

}  // namespace
}  // namespace blip3u
