#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "blip3u/dataset.h"
#include "blip3u/image.h"
#include "components.h"
#include "message_of.h"
#include "temporary_folder.h"

namespace blip3u {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class ImageFolder : public testing::Test {
 protected:
  void picture(const std::string& name, double value = 0.5) {
    const auto file = folder_.path() / name;
    std::filesystem::create_directories(file.parent_path());
    write_png(file, at::full({3, 10, 12}, value));
  }

  std::unique_ptr<Dataset> open(Overrides changes = {}) {
    changes.emplace("path", folder_.path().string());
    changes.emplace("test_share", 0.0);
    return make<Dataset>(Kind::dataset, "image_folder", changes, {.wiring = {.image_size = image_size_}});
  }

  static std::vector<Sample> samples(const Dataset& dataset, Split split = Split::train) {
    std::vector<Sample> result;
    for_each_sample(dataset, split, [&](Sample&& sample) { return result.push_back(std::move(sample)), true; });
    return result;
  }

  /// What opening the folder is refused with, which always says how to mend it.
  std::string failure(const Overrides& changes = {}) {
    const std::string message = message_of([&] { open(changes); });
    EXPECT_THAT(message, HasSubstr("; "));
    return message;
  }

  std::int64_t image_size_ = 0;
  TemporaryFolder folder_{"blip3u-image-folder"};
};

TEST_F(ImageFolder, ReadsTheListOfCaptions) {
  picture("a.png");
  picture("deep/b.png");
  folder_.write("captions.jsonl",
                "{\"file\": \"a.png\", \"caption\": \"a dog\", \"questions\": [{\"question\": \"what?\", \"answer\": "
                "\"dog\"}]}\n\n{\"file\": \"deep/b.png\", \"caption\": \" a cat \", \"split\": \"test\"}\n");
  const auto dataset = open();
  const auto train = samples(*dataset), test = samples(*dataset, Split::test);
  ASSERT_EQ(train.size(), 2U);
  ASSERT_EQ(test.size(), 1U);
  EXPECT_EQ(train[1].messages.at(1).content.at(0).text, "dog");
  EXPECT_EQ(test[0].captions.at(0), "a cat");
  EXPECT_EQ(label_of(test[0], "image"), "deep/b.png");
}

TEST_F(ImageFolder, ReadsATextBesideEachPicture) {
  picture("a.png");
  folder_.write("a.txt", "a dog\n");
  picture("b.PNG");
  const auto train = samples(*open());
  ASSERT_EQ(train.size(), 2U);
  EXPECT_EQ(train[0].captions.at(0), "a dog");
  EXPECT_EQ(train[0].messages.at(1).content.at(0).weight, 1);
  EXPECT_TRUE(train[1].captions.empty());
  EXPECT_EQ(train[1].messages.size(), 1U) << "nothing is known of it, but encoders and decoders may learn from it";
  EXPECT_EQ(problem_of(train[1]), "");
}

TEST_F(ImageFolder, GivesSquareImagesOfTheRecipesSize) {
  picture("a.png", -0.25);
  image_size_ = 16;
  const Tensor image = samples(*open()).at(0).images.at(0);
  EXPECT_EQ(image.sizes(), (std::vector<std::int64_t>{3, 16, 16}));
  EXPECT_NEAR(from_bytes(image).mean().item<double>(), -0.25, 1.0 / 255);
}

TEST_F(ImageFolder, SplitsByNameAlone) {
  for (int i = 0; i < 200; ++i) {
    picture(std::to_string(i) + ".png");
    folder_.write(std::to_string(i) + ".txt", "picture " + std::to_string(i % 40));
  }
  const auto tests = [&] {
    const auto dataset = open({{"test_share", 0.3}});
    std::set<std::string> names;
    for (const Sample& sample : samples(*dataset, Split::test)) names.insert(label_of(sample, "image"));
    EXPECT_EQ(static_cast<std::ptrdiff_t>(names.size() + samples(*dataset).size()),
              std::distance(std::filesystem::directory_iterator(folder_.path()), {}) / 2);
    return names;
  };
  const auto before = tests();
  EXPECT_GT(before.size(), 35U);  // 60 expected
  EXPECT_LT(before.size(), 85U);
  const auto leaves = *before.begin();
  std::filesystem::remove(folder_.path() / leaves);
  std::filesystem::remove((folder_.path() / leaves).replace_extension(".txt"));
  auto after = tests();
  after.insert(leaves);
  EXPECT_EQ(after, before);
}

TEST_F(ImageFolder, FingerprintFollowsPicturesAndCaptions) {
  picture("a.png");
  folder_.write("a.txt", "a dog");
  const auto before = open()->fingerprint();
  EXPECT_EQ(open()->fingerprint(), before);
  image_size_ = 32;
  EXPECT_NE(open()->fingerprint(), before);
  image_size_ = 0;
  folder_.write("a.txt", "a cat");
  EXPECT_NE(open()->fingerprint(), before);
  folder_.write("a.txt", "a dog");
  const auto written = std::filesystem::last_write_time(folder_ / "a.png");
  picture("a.png", 0.6);
  std::filesystem::last_write_time(folder_ / "a.png", written + std::chrono::seconds(1));
  EXPECT_NE(open()->fingerprint(), before);
}

TEST_F(ImageFolder, SaysWhatIsWrongWithTheFolder) {
  EXPECT_THAT(failure({{"path", std::string("/nowhere/at/all")}}), HasSubstr("there is no folder /nowhere/at/all"));
  EXPECT_THAT(failure(), HasSubstr("holds no .png"));
  picture("a.png");
  picture("a.jpg");
  folder_.write("a.txt", "a dog");
  EXPECT_THAT(failure(), HasSubstr("a.txt stands beside two pictures of that name"));
}

TEST_F(ImageFolder, SaysWhichLineIsWrong) {
  picture("a.png");
  const std::string good = "{\"file\": \"a.png\", \"caption\": \"a dog\"}\n";
  const auto second_line = [&](const std::string& line) {
    folder_.write("captions.jsonl", good + line + "\n");
    const auto message = failure();
    EXPECT_THAT(message, HasSubstr("captions.jsonl:2: ")) << line;
    return message;
  };
  EXPECT_THAT(second_line("{\"file\": "), HasSubstr("not a JSON object"));
  EXPECT_THAT(second_line("{\"caption\": \"x\"}"), HasSubstr("\"file\""));
  EXPECT_THAT(second_line("{\"file\": \"b.png\", \"caption\": \"x\"}"), HasSubstr("there is no picture"));
  EXPECT_THAT(second_line("{\"file\": \"../b.png\", \"caption\": \"x\"}"), HasSubstr("not inside the folder"));
  EXPECT_THAT(second_line("{\"file\": \"a.gif\", \"caption\": \"x\"}"), HasSubstr("is not a .png"));
  EXPECT_THAT(second_line("{\"file\": \"a.png\", \"caption\": 3}"), HasSubstr("\"caption\" must be a text"));
  EXPECT_THAT(second_line("{\"file\": \"a.png\"}"), HasSubstr("neither a caption, questions nor a class"));
  EXPECT_THAT(second_line("{\"file\": \"a.png\", \"caption\": \"x\", \"split\": \"later\"}"), HasSubstr("'later'"));
  EXPECT_THAT(second_line("{\"file\": \"a.png\", \"class\": \"x\", \"questions\": 1}"), HasSubstr("is not a list"));
}

TEST_F(ImageFolder, NamesADamagedPicture) {
  folder_.write("a.png", "no picture");
  const auto dataset = open();
  const auto message = [&] { return message_of([&] { samples(*dataset); }); };
  EXPECT_THAT(message(), AllOf(HasSubstr("a.png: neither PNG, JPEG nor WebP"), HasSubstr("; ")));
  picture("a.png");
  std::filesystem::resize_file(folder_.path() / "a.png", 40);
  EXPECT_THAT(message(), AllOf(HasSubstr("a.png: truncated or damaged PNG"), HasSubstr("; ")));
}

// Reading all of a folder at once would not hear Ctrl-C until it is done; the core listens between pictures.
TEST_F(ImageFolder, ReadsNoPictureButTheOneAskedFor) {
  picture("a.png");
  folder_.write("b.png", "no picture");
  std::filesystem::permissions(folder_ / "b.png", std::filesystem::perms::none);
  const auto dataset = open();
  EXPECT_EQ(dataset->open(Split::train, 0)->next()->images.size(), 1U);
}

TEST_F(ImageFolder, GivesConversations) {
  picture("a.png", -1);
  picture("b.png");
  folder_.write(
      "captions.jsonl",
      "{\"file\": \"a.png\", \"caption\": \"a dog\", \"questions\": [{\"question\": \"what?\", \"answer\": "
      "\"dog\"}, {\"question\": \"cat?\", \"answer\": \"no\"}]}\n{\"file\": \"b.png\", \"caption\": \"a cat\"}\n");
  const auto dataset = open();
  ASSERT_EQ(dataset->chapters(Split::train).size(), 1U);
  EXPECT_EQ(dataset->chapters(Split::train)[0].samples, 4);
  EXPECT_TRUE(dataset->chapters(Split::test).empty());
  const auto train = samples(*dataset);
  ASSERT_EQ(train.size(), 4U);
  std::vector<std::string> ids;
  for (const Sample& sample : train) {
    EXPECT_EQ(problem_of(sample), "") << sample.id;
    ids.push_back(sample.id);
  }
  EXPECT_THAT(ids, testing::ElementsAre("a.png#caption", "a.png#0", "a.png#1", "b.png#caption"));
  EXPECT_EQ(train[0].messages.at(0).content.at(0).text, "a dog");
  EXPECT_EQ(train[0].messages.at(1).content.at(0).image, 0);
  EXPECT_EQ(train[0].messages.at(1).content.at(0).weight, 1);
  EXPECT_EQ(train[2].messages.at(0).content.at(0).type, Part::Type::image);
  EXPECT_EQ(train[2].messages.at(0).content.at(1).text, "cat?");
  EXPECT_EQ(train[2].messages.at(1).content.at(0).text, "no");
  EXPECT_EQ(train[2].messages.at(1).content.at(0).weight, 1);
  EXPECT_EQ(train[0].images.at(0).sizes(), (std::vector<std::int64_t>{3, 10, 12}));  // as stored
  EXPECT_EQ(train[0].images.at(0).max().item<int>(), 0);
  EXPECT_EQ(train[3].captions.at(0), "a cat");
}

TEST_F(ImageFolder, NeedsATrainingPicture) {
  picture("a.png");
  folder_.write("captions.jsonl", "{\"file\": \"a.png\", \"caption\": \"x\", \"split\": \"test\"}\n");
  EXPECT_THAT(failure(), HasSubstr("no picture for training"));
}

}  // namespace
}  // namespace blip3u
