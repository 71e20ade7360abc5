#include <ATen/ops/full.h>
#include <ATen/ops/linspace.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "blip3u/dataset.h"
#include "blip3u/image.h"
#include "blip3u/stream.h"
#include "components.h"
#include "eval/shapes.h"
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
    return make<Dataset>(Kind::dataset, "easy_vqa", changes);
  }

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
              testing::ElementsAre("0#caption", "0#0", "0#1", "1#0", "2#0", "0 mirrored#caption"));
  const Sample made = source.sample(Split::train, 0), asked = source.sample(Split::train, 3);
  EXPECT_EQ(made.messages.at(0).content.at(0).text, "a red triangle");
  EXPECT_EQ(made.messages.at(1).content.at(0).weight, 1);
  EXPECT_EQ(made.images.at(0).sizes(), (std::vector<std::int64_t>{3, 64, 64}));
  EXPECT_EQ(asked.messages.at(0).content.at(1).text, "what is the blue shape?");
  EXPECT_EQ(asked.messages.at(1).content.at(0).text, "circle");
  EXPECT_EQ(asked.labels.at(1), (std::pair<std::string, std::string>("held_out", "yes")));
  EXPECT_EQ(made.labels.at(0).second, "a red triangle");
}

TEST_F(EasyVqaFolder, HoldsQuestionsAndRecoveredCaptions) {
  const auto dataset = open();
  ASSERT_EQ(dataset->size(Split::train), 3);
  ASSERT_EQ(dataset->size(Split::test), 1);
  EXPECT_EQ(dataset->example(Split::train, 0).caption, "a red triangle");
  EXPECT_EQ(dataset->example(Split::train, 1).caption, "a blue circle");
  EXPECT_EQ(dataset->example(Split::train, 2).caption, "");
  EXPECT_EQ(dataset->example(Split::test, 0).caption, "a gray rectangle");
  ASSERT_EQ(dataset->example(Split::train, 0).questions.size(), 2U);
  EXPECT_EQ(dataset->example(Split::train, 0).questions[1].answer, "triangle");
}

TEST_F(EasyVqaFolder, KeepsHeldOutAndUnknownPairsFromGeneration) {
  const auto dataset = open({{"held_out", Texts{"red triangle"}}});
  EXPECT_FALSE(dataset->trains_generation(0));  // held out
  EXPECT_TRUE(dataset->trains_generation(1));
  EXPECT_FALSE(dataset->trains_generation(2));  // might be a red triangle
  EXPECT_TRUE(open({{"held_out", Texts{}}})->trains_generation(0));
}

TEST_F(EasyVqaFolder, NamesAllPairsAsClassesAndPrompts) {
  const auto dataset = open({{"held_out", Texts{"red triangle", "teal circle"}}});
  EXPECT_EQ(dataset->classes().size(), 24U);
  int held_out = 0;
  for (const auto& prompt : dataset->prompts()) {
    held_out += prompt.held_out ? 1 : 0;
    EXPECT_EQ(prompt.held_out, prompt.text == "a red triangle" || prompt.text == "a teal circle") << prompt.text;
  }
  EXPECT_EQ(held_out, 2);
}

TEST_F(EasyVqaFolder, GivesImagesAtTheSizeAskedFor) {
  const auto image = open()->image(Split::train, 2);
  EXPECT_EQ(image.sizes(), (std::vector<std::int64_t>{3, 64, 64}));
  EXPECT_EQ(image.scalar_type(), at::kFloat);
  EXPECT_NEAR(image.mean().item<double>(), 0.5, 1.0 / 255);
  const auto small = open({{"image_size", std::int64_t{32}}})->image(Split::train, 0);
  EXPECT_EQ(small.size(2), 32);
  EXPECT_NEAR(small.mean().item<double>(), -0.5, 1.0 / 255);
}

TEST_F(EasyVqaFolder, TrainsOnMirrorImagesWhereAsked) {
  const auto file = folder_.path() / "easy_vqa/data/train/images/0.png";
  write_png(file, at::linspace(-1, 1, 64).expand({3, 64, 64}));  // brighter to the right
  const auto dataset = open({{"mirrored", true}, {"held_out", Texts{"red triangle"}}});
  ASSERT_EQ(dataset->size(Split::train), 6);
  EXPECT_EQ(dataset->size(Split::test), 1);
  const auto mirrored = dataset->image(Split::train, 3);
  EXPECT_GT(mirrored[0][0][0].item<double>(), 0.9);
  EXPECT_TRUE(mirrored.equal(dataset->image(Split::train, 0).flip({2})));
  EXPECT_EQ(dataset->example(Split::train, 3).caption, "a red triangle");
  EXPECT_EQ(dataset->example(Split::train, 3).id, "0 mirrored");
  EXPECT_FALSE(dataset->trains_generation(3));  // held out, like the picture itself
  EXPECT_TRUE(dataset->trains_generation(4));
}

TEST_F(EasyVqaFolder, FingerprintFollowsWhatDecidesTheContent) {
  const auto before = open()->fingerprint();
  EXPECT_EQ(open()->fingerprint(), before);
  EXPECT_NE(open({{"image_size", std::int64_t{32}}})->fingerprint(), before);
  EXPECT_NE(open({{"held_out", Texts{"red triangle"}}})->fingerprint(), before);
  EXPECT_NE(open({{"mirrored", true}})->fingerprint(), before);
  folder_.write("easy_vqa/data/test/questions.json", json{{"what is the gray shape?", "circle", 0}}.dump());
  EXPECT_NE(open()->fingerprint(), before);
}

TEST_F(EasyVqaFolder, SaysWhatIsWrongWithItsFiles) {
  folder_.write("easy_vqa/data/train/images/1.png", "this is no picture");
  const auto dataset = open();  // pictures are read when they are needed
  EXPECT_THAT(message_of([&] { dataset->image(Split::train, 1); }), HasSubstr("1.png"));
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
  EXPECT_EQ(wiring.image_size, 64);
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
  const auto dataset = make<Dataset>(Kind::dataset, "easy_vqa", {{"path", path.string()}, {"fetch", false}});
  EXPECT_EQ(dataset->size(Split::train), 4000);
  EXPECT_EQ(dataset->size(Split::test), 1000);
  int captions = 0;
  int read_by_fill = 0, read_by_outline = 0;
  for (std::int64_t index = 0; index < 1000; ++index) {
    const auto expected = eval::parse_coloured_shape(dataset->example(Split::test, index).caption);
    if (!expected) continue;
    ++captions;
    const auto image = dataset->image(Split::test, index);
    read_by_fill += eval::read_shape(image, eval::ShapeProtocol::fill_ratio).found == expected ? 1 : 0;
    read_by_outline += eval::read_shape(image, eval::ShapeProtocol::coverage).found == expected ? 1 : 0;
  }
  EXPECT_EQ(captions, 888);
  EXPECT_GE(read_by_fill, 0.997 * captions);  // what the reference in Python reaches
  EXPECT_GE(read_by_outline, 0.999 * captions);
}

}  // namespace
}  // namespace blip3u
