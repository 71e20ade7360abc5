#include "training/training_data.h"
#include "training/look_through.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "fakes.h"
#include "message_of.h"
#include "temporary_folder.h"
#include "training/features.h"
#include "training/objectives.h"

namespace blip3u::testing {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> ids(const std::vector<Sample>& samples) {
  std::vector<std::string> result;
  for (const Sample& sample : samples) result.push_back(sample.id);
  return result;
}

TEST(SampleRows, EveryPassHoldsEachSampleOnce) {
  const FakeDataset dataset;
  const TrainingData data(fake_recipe().data, {&dataset});
  SampleRows rows(data, 1, 5, {});
  std::vector<std::string> passes[2];
  for (auto& pass : passes) {
    for (int batch = 0; batch < 2; ++batch) {
      for (const std::string& id : ids(rows.next())) pass.push_back(id);
    }
    EXPECT_EQ(std::set<std::string>(pass.begin(), pass.end()).size(), static_cast<std::size_t>(fake_images));
  }
  EXPECT_NE(passes[0], passes[1]);
  SampleRows other(data, 2, 5, {});
  EXPECT_NE(ids(other.next()), std::vector<std::string>(passes[0].begin(), passes[0].begin() + 5));
}

TEST(SampleRows, GoOnWhereTheyStood) {
  const FakeDataset dataset;
  const TrainingData data(fake_recipe().data, {&dataset});
  SampleRows rows(data, 1, 4, {});
  EXPECT_TRUE(rows.position().empty());
  for (int batch = 0; batch < 4; ++batch) rows.next();
  SampleRows later(data, 1, 4, {});
  later.go_on_from(rows.position());
  for (int batch = 0; batch < 4; ++batch) EXPECT_EQ(ids(later.next()), ids(rows.next()));
}

TEST(TrainingData, FiltersByLabels) {
  struct Labelled final : Dataset, Indexed {
    std::vector<Chapter> chapters(Split) const override { return {{"all", 6}}; }
    std::unique_ptr<Reader> open(Split split, std::int64_t) const override { return read_in_order(*this, split); }
    std::string fingerprint() const override { return ""; }
    std::int64_t samples(Split) const override { return 6; }
    Sample sample(Split, std::int64_t index) const override {
      Sample sample;
      sample.id = std::to_string(index);
      sample.messages = {{Role::user, {text_part("hello")}}, {Role::assistant, {text_part("you", 1)}}};
      sample.labels = {{"parity", index % 2 ? "odd" : "even"}, {"place", std::to_string(index)}};
      return sample;
    }
  };
  const Labelled dataset;
  DataChoice choice = fake_recipe().data;
  const auto seen = [&](const std::vector<std::string>& filter) {
    choice.sources[0].filter = filter;
    const TrainingData data(choice, {&dataset});
    SampleRows rows(data, 1, 12, {});
    const auto drawn = ids(rows.next());
    return std::set<std::string>(drawn.begin(), drawn.end());
  };
  EXPECT_EQ(seen({}), (std::set<std::string>{"0", "1", "2", "3", "4", "5"}));
  EXPECT_EQ(seen({"parity=even"}), (std::set<std::string>{"0", "2", "4"}));
  EXPECT_EQ(seen({"parity=even", "place!=2"}), (std::set<std::string>{"0", "4"}));
  EXPECT_THAT(message_of([&] { seen({"parity=neither"}); }), HasSubstr("no sound and usable sample"));

  choice.sources[0].filter = {};
  const TrainingData data(choice, {&dataset});
  EXPECT_EQ(look_at_training_samples(data), (std::vector<std::string>{"hello", "you", "hello", "you", "hello", "you",
                                                                      "hello", "you", "hello", "you", "hello", "you"}));
  Stage stage = fake_stage();
  EXPECT_THAT(message_of([&] { check_stage_data(stage, data); }), HasSubstr("stage `encoder` learns from pictures: "));
  stage.objective = ObjectiveKind::conversation;
  stage.text_weight = 1;
  EXPECT_NO_THROW(check_stage_data(stage, data));
  stage.image_weight = 1;
  EXPECT_THAT(message_of([&] { check_stage_data(stage, data); }), HasSubstr("set image_weight: 0"));
}

Tensor picture(std::int64_t index) { return FakeDataset().sample(Split::train, index).images.front(); }

TEST(Features, AreMadeOnceAndKept) {
  const TemporaryFolder folder("blip3u-features");
  FakeEncoder encoder({}, {.seed = 3}), other({}, {.seed = 4});
  const std::vector<Tensor> pictures{picture(4), picture(1), picture(4)};
  Features made(encoder, 8, at::kCPU, folder.path());
  const Visual first = made.of(pictures);
  EXPECT_EQ(first.x.sizes(), (at::IntArrayRef{3, 1, 4}));
  EXPECT_TRUE(at::equal(first.x[0], first.x[2]));
  EXPECT_FALSE(at::equal(first.x[0], first.x[1]));
  EXPECT_TRUE(at::equal(made.of({&pictures[1], 1}).x[0], first.x[1])) << "whatever else is asked for";
  made.flush();
  Features kept(other, 8, at::kCPU, folder.path());
  EXPECT_TRUE(at::equal(kept.of(pictures).x, first.x));
  Features fresh(other, 8, at::kCPU, std::nullopt);
  EXPECT_FALSE(at::equal(fresh.of(pictures).x, first.x));
}

/// Codes and nothing else, another one at every call.
class CodingEncoder final : public ModuleComponent<Encoder> {
 public:
  Layout layout() const override { return {.tokens = 2, .width = 4, .codebook = 1000}; }
  Visual encode(const Tensor& images) override { return {{}, at::full({images.size(0), 2, 1}, calls_++, at::kLong)}; }
  std::vector<Loss> loss(const EncoderBatch&, Generator&) override { return {}; }

 private:
  std::int64_t calls_ = 1;
};

TEST(Features, OfPicturesSeenOnceAreMadeTogetherAndForgotten) {
  const TemporaryFolder folder("blip3u-features");
  CodingEncoder encoder;
  const std::vector<Tensor> pictures{picture(4), picture(1)};
  Features passing(encoder, 8, at::kCPU, folder.path(), /*keeps=*/false);
  EXPECT_TRUE(at::equal(passing.of(pictures).codes, at::ones({2, 2, 1}, at::kLong))) << "in one call";
  EXPECT_TRUE(at::equal(passing.of(pictures).codes, at::full({2, 2, 1}, 2, at::kLong)));
  passing.flush();
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Features, KeepCodesToo) {
  const TemporaryFolder folder("blip3u-features");
  CodingEncoder encoder;
  const std::vector<Tensor> pictures{picture(0), picture(1)};
  for (int time = 0; time < 2; ++time) {
    Features features(encoder, 8, at::kCPU, folder.path());
    const Visual visual = features.of(pictures);
    EXPECT_FALSE(visual.x.defined());
    EXPECT_TRUE(at::equal(visual.codes, at::stack({at::full({2, 1}, 1, at::kLong), at::full({2, 1}, 2, at::kLong)})));
    features.flush();
  }
}

}  // namespace
}  // namespace blip3u::testing
