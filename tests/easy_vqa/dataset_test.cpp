#include <ATen/ops/full.h>
#include <ATen/ops/linspace.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "blip3u/dataset.h"
#include "blip3u/image.h"
#include "components.h"
#include "easy_vqa/shapes.h"
#include "message_of.h"
#include "temporary_folder.h"

namespace blip3u {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using Texts = std::vector<std::string>;

/// A folder like the unzipped wheel, with three training images and one test image.
class EasyVqaFolder : public testing::Test {
 protected:
  EasyVqaFolder() {
    const json train = {{"what color is the shape?", "red", 0},
                        {"what shape is present?", "triangle", 0},
                        {"what is the blue shape?", "circle", 1},
                        {"what color is the shape?", "red", 2}};
    folder_.write("easy_vqa/data/train/questions.json", train.dump());
    folder_.write("easy_vqa/data/test/questions.json", json{{"what is the gray shape?", "rectangle", 0}}.dump());
    for (int image = 0; image < 3; ++image) write_image("train", image);
    write_image("test", 0);
  }

  void write_image(const std::string& split, int image) {
    const auto file = folder_.path() / "easy_vqa/data" / split / "images" / (std::to_string(image) + ".png");
    std::filesystem::create_directories(file.parent_path());
    write_png(file, at::full({3, 64, 64}, 0.5 * image - 0.5));
  }

  std::unique_ptr<Dataset> open(Overrides changes = {}) {
    changes.emplace("path", folder_.path().string());
    changes.emplace("fetch", false);
    return make<Dataset>(Kind::dataset, "easy_vqa", changes, {.wiring = {.image_size = image_size_}});
  }

  /// All samples of a split by their ids.
  static std::map<std::string, Sample> samples(const Dataset& dataset, Split split = Split::train) {
    std::map<std::string, Sample> result;
    for_each_sample(dataset, split, [&](Sample&& sample) {
      std::string id = sample.id;
      return result.emplace(std::move(id), std::move(sample)).second;
    });
    return result;
  }

  std::int64_t image_size_ = 64;
  TemporaryFolder folder_{"blip3u-easy-vqa"};
};

TEST_F(EasyVqaFolder, GivesConversations) {
  const auto dataset = open({{"held_out", Texts{"blue circle"}}, {"mirrored", true}});
  const auto& source = dynamic_cast<const Indexed&>(*dataset);
  ASSERT_EQ(source.samples(Split::train), 10);  // five of the pictures, five of their mirror images
  ASSERT_EQ(source.samples(Split::test), 2);
  std::vector<std::string> ids;
  for (std::int64_t i = 0; i < 10; ++i) {
    const Sample sample = source.sample(Split::train, i);
    EXPECT_EQ(problem_of(sample), "") << sample.id;
    ids.push_back(sample.id);
  }
  // The blue circle is asked about and never made; the last one's shape is not known.
  EXPECT_THAT(Texts(ids.begin(), ids.begin() + 6),
              testing::ElementsAre("train 0#caption", "train 0#0", "train 0#1", "train 1#0", "train 2#0",
                                   "train 0 mirrored#caption"));
  EXPECT_EQ(source.sample(Split::test, 0).id, "0#caption");
  const Sample made = source.sample(Split::train, 0), asked = source.sample(Split::train, 3);
  EXPECT_EQ(made.messages.at(0).content.at(0).text, "a red triangle");
  EXPECT_EQ(made.messages.at(1).content.at(0).weight, 1);
  EXPECT_EQ(made.images.at(0).sizes(), (std::vector<std::int64_t>{3, 64, 64}));
  EXPECT_EQ(asked.messages.at(0).content.at(1).text, "what is the blue shape?");
  EXPECT_EQ(asked.messages.at(1).content.at(0).text, "circle");
  EXPECT_EQ(label_of(asked, "held_out"), "yes");
  EXPECT_EQ(label_of(asked, "kind"), "shape");
  EXPECT_EQ(label_of(source.sample(Split::train, 1), "kind"), "colour");
  EXPECT_EQ(label_of(asked, "image"), "1");
  EXPECT_EQ(label_of(made, "class"), "a red triangle");
  EXPECT_EQ(label_of(made, "kind"), "");
}

TEST_F(EasyVqaFolder, HoldsQuestionsAndRecoveredCaptions) {
  const auto dataset = open();
  const auto train = samples(*dataset), test = samples(*dataset, Split::test);
  EXPECT_EQ(train.at("train 0#0").captions.at(0), "a red triangle");
  EXPECT_EQ(train.at("train 1#0").captions.at(0), "a blue circle");
  EXPECT_TRUE(train.at("train 2#0").captions.empty());
  EXPECT_EQ(test.at("0#0").captions.at(0), "a gray rectangle");
  EXPECT_EQ(train.at("train 0#1").messages.at(1).content.at(0).text, "triangle");
}

TEST_F(EasyVqaFolder, KeepsHeldOutAndUnknownPairsFromGeneration) {
  const auto train = samples(*open({{"held_out", Texts{"red triangle"}}}));
  EXPECT_FALSE(train.contains("train 0#caption"));  // held out
  EXPECT_TRUE(train.contains("train 1#caption"));
  EXPECT_FALSE(train.contains("train 2#caption"));  // might be a red triangle
  EXPECT_TRUE(samples(*open({{"held_out", Texts{}}})).contains("train 0#caption"));
}

TEST_F(EasyVqaFolder, NamesAllPairsAsClasses) {
  const auto classes = dynamic_cast<const Classes&>(*open()).classes();
  EXPECT_EQ(std::set<std::string>(classes.begin(), classes.end()).size(), 24U);
  EXPECT_THAT(classes, testing::Contains("a red triangle"));
}

TEST_F(EasyVqaFolder, GivesImagesAtTheSizeOfTheRecipe) {
  const Tensor image = samples(*open()).at("train 2#0").images.at(0);
  EXPECT_EQ(image.sizes(), (std::vector<std::int64_t>{3, 64, 64}));
  EXPECT_NEAR(from_bytes(image).mean().item<double>(), 0.5, 1.0 / 255);
  image_size_ = 32;
  const Tensor small = samples(*open()).at("train 0#0").images.at(0);
  EXPECT_EQ(small.sizes(), (std::vector<std::int64_t>{3, 32, 32}));
  EXPECT_NEAR(from_bytes(small).mean().item<double>(), -0.5, 1.0 / 255);
}

TEST_F(EasyVqaFolder, TrainsOnMirrorImagesWhereAsked) {
  const auto file = folder_.path() / "easy_vqa/data/train/images/0.png";
  write_png(file, at::linspace(-1, 1, 64).expand({3, 64, 64}));  // brighter to the right
  const auto dataset = open({{"mirrored", true}, {"held_out", Texts{"red triangle"}}});
  const auto train = samples(*dataset);
  EXPECT_EQ(train.size(), 10U);
  EXPECT_EQ(samples(*dataset, Split::test).size(), 2U);
  const Tensor mirrored = train.at("train 0 mirrored#0").images.at(0);
  EXPECT_GT(mirrored[0][0][0].item<int>(), 240);
  EXPECT_TRUE(mirrored.equal(train.at("train 0#0").images.at(0).flip({2})));
  EXPECT_EQ(train.at("train 0 mirrored#0").captions.at(0), "a red triangle");
  EXPECT_FALSE(train.contains("train 0 mirrored#caption"));  // held out, like the picture itself
  EXPECT_TRUE(train.contains("train 1 mirrored#caption"));
}

TEST_F(EasyVqaFolder, FingerprintFollowsWhatDecidesTheContent) {
  const auto before = open()->fingerprint();
  EXPECT_EQ(open()->fingerprint(), before);
  image_size_ = 32;
  EXPECT_NE(open()->fingerprint(), before);
  image_size_ = 64;
  EXPECT_NE(open({{"held_out", Texts{"red triangle"}}})->fingerprint(), before);
  EXPECT_NE(open({{"mirrored", true}})->fingerprint(), before);
  folder_.write("easy_vqa/data/test/questions.json", json{{"what is the gray shape?", "circle", 0}}.dump());
  EXPECT_NE(open()->fingerprint(), before);
}

TEST_F(EasyVqaFolder, SaysWhatIsWrongWithItsFiles) {
  folder_.write("easy_vqa/data/train/images/1.png", "this is no picture");
  const auto dataset = open();  // pictures are read when they are needed
  EXPECT_THAT(message_of([&] { samples(*dataset); }), HasSubstr("1.png"));
  folder_.write("easy_vqa/data/test/questions.json", "[[\"what?\", \"red\"]]");
  EXPECT_THAT(message_of([&] { open(); }), HasSubstr("an entry is not"));
  folder_.write("easy_vqa/data/test/questions.json", "[[\"wha");
  EXPECT_THAT(message_of([&] { open(); }), HasSubstr("test/questions.json"));
  EXPECT_THAT(message_of([&] { open({{"path", std::string("/nowhere")}}); }), HasSubstr("fetch=true"));
}

TEST_F(EasyVqaFolder, RefusesToHoldOutEverythingThatTrains) {
  EXPECT_THAT(message_of([&] {
                open({{"held_out", Texts{"red triangle", "blue circle"}}});
              }),
              HasSubstr("no training image is left"));
}

std::vector<Wiring::Problem> problems(const Texts& held_out) {
  const auto& descriptor = descriptor_of(Kind::dataset, "easy_vqa");
  Wiring wiring;
  descriptor.check(parameters_of(descriptor, {{"held_out", held_out}}), wiring);
  return wiring.problems;
}

TEST(EasyVqaCheck, AcceptsTheDefaultAndNothing) {
  EXPECT_TRUE(problems({}).empty());
  const auto& descriptor = descriptor_of(Kind::dataset, "easy_vqa");
  const auto standard = Parameters::defaults(descriptor.parameters).texts("held_out");
  EXPECT_EQ(standard.size(), 4U);
  EXPECT_TRUE(problems(standard).empty());
}

TEST(EasyVqaCheck, RejectsHeldOutPairsThatAreNone) {
  const auto message = [](const Texts& held_out) {
    const auto found = problems(held_out);
    EXPECT_EQ(found.size(), 1U);
    EXPECT_EQ(found.at(0).parameter, "held_out");
    return found.at(0).message;
  };
  EXPECT_THAT(message({"pink circle"}), HasSubstr("'pink circle'"));
  EXPECT_THAT(message({"red circle", "red circle"}), HasSubstr("twice"));
  EXPECT_THAT(message({"red circle", "red triangle", "red rectangle"}), HasSubstr("every 'red'"));
  Texts circles;
  for (const char* colour : {"red", "green", "blue", "yellow", "teal", "brown", "black", "gray"}) {
    circles.push_back(std::string(colour) + " circle");
  }
  EXPECT_THAT(message(circles), HasSubstr("every 'circle'"));
}

/// On the published data, where a run has fetched it. The counts are those of the wheel.
TEST(EasyVqaPublished, HasTheCountsAndIsReadByTheScorer) {
  const auto path = std::filesystem::path(BLIP3U_SOURCE_DIR) / "data" / "easy_vqa";
  if (!std::filesystem::exists(path / "easy_vqa")) {
    GTEST_SKIP() << path.string() << " is not there, and tests fetch nothing: ./blip3u run recipes/easy_vqa.yaml does";
  }
  const auto dataset = make<Dataset>(Kind::dataset, "easy_vqa", {{"path", path.string()}, {"fetch", false}},
                                     {.wiring = {.image_size = 64}});
  std::set<std::string> train, test;
  for_each_sample(*dataset, Split::train,
                  [&](Sample&& sample) { return train.insert(label_of(sample, "image")), true; });
  int captions = 0, read_by_fill = 0, read_by_outline = 0;
  for_each_sample(*dataset, Split::test, [&](Sample&& sample) {
    if (!test.insert(label_of(sample, "image")).second || sample.captions.empty()) return true;
    const auto expected = easy_vqa::parse_coloured_shape(sample.captions[0]);
    const Tensor image = from_bytes(sample.images[0]);
    ++captions;
    read_by_fill += easy_vqa::read_shape(image, easy_vqa::ShapeProtocol::fill_ratio).found == expected ? 1 : 0;
    read_by_outline += easy_vqa::read_shape(image, easy_vqa::ShapeProtocol::coverage).found == expected ? 1 : 0;
    return true;
  });
  EXPECT_EQ(train.size(), 4000U);
  EXPECT_EQ(test.size(), 1000U);
  EXPECT_EQ(captions, 888);
  EXPECT_GE(read_by_fill, 0.997 * captions);  // what the reference in Python reaches
  EXPECT_GE(read_by_outline, 0.999 * captions);
}

}  // namespace
}  // namespace blip3u
