#include "running/run_directory.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "blip3u/image.h"
#include "io/files.h"
#include "message_of.h"
#include "temporary_folder.h"

namespace blip3u::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TaskResult result(const std::string& item) {
  TaskResult result;
  result.records.push_back({.id = item, .input = "", .output = "", .expected = "", .score = 1});
  return result;
}

TEST(RunDirectory, KeepsTheResultsOfTasksOfOneShortName) {
  const TemporaryFolder folder{"blip3u-results"};
  const RunDirectory directory(folder.path());
  directory.write_result("one/vqa", result("first"));
  EXPECT_FALSE(directory.has_result("other/vqa"));
  directory.write_result("other/vqa", result("second"));
  EXPECT_NE(read_text(directory.items_file("one/vqa")), read_text(directory.items_file("other/vqa")));
  directory.write_metrics(Recipe{}, nlohmann::json::object());
  const auto tasks = directory.metrics().at("tasks");
  ASSERT_EQ(tasks.size(), 2u);
  EXPECT_EQ(tasks[0].at("task"), "one/vqa");
  EXPECT_EQ(tasks[1].at("task"), "other/vqa");

  folder.write("replies/one.stopped/replies.jsonl", "{}");  // of a task that was interrupted
  directory.forget_results();
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "replies"));
  for (const char* task : {"one/vqa", "other/vqa"}) {
    EXPECT_FALSE(directory.has_result(task));
    EXPECT_FALSE(std::filesystem::exists(directory.items_file(task)));
  }
}

TEST(RunDirectory, PicturesComeBackWithTheirLabels) {
  const TemporaryFolder folder{"blip3u-pictures"};
  const RunDirectory directory(folder.path());
  EXPECT_TRUE(directory.pictures("one/generation").empty());
  TaskResult made;
  std::vector<LabelledImage> images;
  for (int i = 0; i < 30; ++i) {  // levels that bytes hold exactly
    images.push_back({at::full({3, 8, 4 + i % 3}, 8 * i, at::kByte), "picture <" + std::to_string(i), i != 7});
  }
  images.push_back({at::zeros({3, 512, 512}, at::kByte), "large", true});
  made.records.push_back({.id = "", .input = "", .output = "", .expected = "", .images = images});
  directory.write_result("one/generation", made);
  const auto pictures = directory.pictures("one/generation");
  ASSERT_EQ(pictures.size(), images.size());
  for (std::size_t i = 0; i < 30; ++i) {
    EXPECT_EQ(pictures[i].label, images[i].label);
    EXPECT_EQ(pictures[i].good, i != 7);
    EXPECT_TRUE(at::equal(pictures[i].image, images[i].image));
  }
  EXPECT_EQ(pictures[30].image.size(1), 256);
  EXPECT_THAT(read_text(folder.path() / "evaluation" / "one.generation.json"), Not(HasSubstr("picture <")));

  folder.write("pictures/one.generation.json",
               R"({"pictures": [{"box": [0, 0, 9999, 1], "good": true, "label": ""}]})");
  EXPECT_THAT(message_of([&] { directory.pictures("one/generation"); }),
              HasSubstr("beyond its sheet; delete the file"));
  folder.write("pictures/one.generation.json", R"({"pictures": [{"box": [0, 0]}]})");
  EXPECT_THAT(message_of([&] { directory.pictures("one/generation"); }), HasSubstr("one.generation.json: damaged"));
  directory.forget_results();
  EXPECT_TRUE(std::filesystem::is_empty(folder.path() / "pictures"));
}

}  // namespace
}  // namespace blip3u::testing
