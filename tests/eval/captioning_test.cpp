#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "blip3u/image.h"
#include "blip3u/task.h"
#include "components.h"
#include "temporary_folder.h"

namespace blip3u::eval {
namespace {

/// Two pictures for testing, one of them with two captions, and three to train on.
class Captioning : public testing::Test {
 protected:
  Captioning() {
    std::string table = "file,caption,split\n";
    const auto add = [&](const std::string& name, const std::string& caption, const std::string& split) {
      write_png(folder_ / name, at::full({3, 8, 8}, 0.5));
      table += name + "," + caption + "," + split + "\n";
    };
    add("1.png", "a red dog", "test");
    add("1.png", "the animal", "test");
    add("2.png", "a cat", "test");
    for (const char* name : {"3.png", "4.png"}) add(name, "a dog", "train");
    add("5.png", "a bird", "train");
    folder_.write("captions.csv", table);
    dataset_ = make<Dataset>(Kind::dataset, "image_folder", {{"path", folder_.path().string()}});
    datasets_ = {dataset_.get()};
  }

  TaskData data() const { return {datasets_, 8}; }

  TemporaryFolder folder_{"blip3u-captioning"};
  std::unique_ptr<Dataset> dataset_;
  std::vector<const Dataset*> datasets_;
  std::unique_ptr<Task> task_ = make<Task>(Kind::task, "tasks/captioning", {{"question", std::string("what?")}});
};

TEST_F(Captioning, AsksOnceAboutEachTestPicture) {
  const auto items = task_->items(data(), 0);
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0].id, "1.png");
  EXPECT_EQ(items[0].messages.at(0).content.at(1).text, "what?");
  EXPECT_EQ(task_->missing_for(data()), "");
}

TEST_F(Captioning, ScoresTheWordsThatAreShared) {
  const auto items = task_->items(data(), 0);
  const auto score = [&](std::size_t item, const std::string& said) {
    const std::vector<Output> outputs = {{.text = said}};
    return task_->score(items[item], outputs).at(0).score;
  };
  EXPECT_DOUBLE_EQ(score(0, "A red dog."), 1);
  EXPECT_DOUBLE_EQ(score(0, "the red dog"), 2 * 2 / 6.0);
  EXPECT_DOUBLE_EQ(score(0, "an animal"), 2 * 1 / 4.0);  // by the other caption
  EXPECT_DOUBLE_EQ(score(0, "dog dog dog"), 2 * 1 / 6.0);
  EXPECT_DOUBLE_EQ(score(1, "a dog"), 2 * 1 / 4.0);
  EXPECT_DOUBLE_EQ(score(1, ""), 0);
}

TEST_F(Captioning, ComparesWithTheUsualCaption) {
  std::vector<ItemRecord> records;
  for (const Item& item : task_->items(data(), 0)) {
    const std::vector<Output> outputs = {{.text = item.expected}};
    for (ItemRecord& record : task_->score(item, outputs)) records.push_back(std::move(record));
  }
  const auto scores = task_->summarise(data(), records, 0);
  ASSERT_EQ(scores.size(), 2U);
  EXPECT_DOUBLE_EQ(scores[0].value, 1);
  EXPECT_EQ(scores[1].name, "captioning/usual_caption");
  EXPECT_TRUE(scores[1].reference);
  EXPECT_DOUBLE_EQ(scores[1].value, (2 * 2 / 5.0 + 2 * 1 / 4.0) / 2);  // "a dog"
}

}  // namespace
}  // namespace blip3u::eval
