#include "training/stage.h"

#include <csignal>
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "blip3u/error.h"
#include "fakes.h"
#include "io/files.h"
#include "io/interrupt.h"
#include "io/safetensors.h"
#include "message_of.h"
#include "temporary_folder.h"

namespace blip3u::testing {
namespace {

namespace fs = std::filesystem;

class StageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    FakeEncoder::calls = 0;
    FakeEncoder::fail_at = FakeEncoder::interrupt_at = -1;
    FakeEncoder::spoil_gradients = false;
  }

  // Trains in a subfolder with a fresh pipeline, as a new process would.
  StageRecord train(const std::string& name, const Stage& stage = fake_stage(), std::uint64_t seed = 7,
                    const Recipe& recipe = fake_recipe()) {
    Pipeline pipeline(recipe, std::make_unique<FakeTokenizer>(), at::kCPU);
    FeatureTable none;
    return train_stage(stage, seed, pipeline, data_, none, folder_ / name);
  }
  std::vector<NamedTensor> weights(const std::string& name) {
    return load_safetensors(stage_weights(folder_ / name)).tensors;
  }

  FakeDataset dataset_;
  TrainingData data_{fake_recipe().data, {&dataset_}};
  const TemporaryFolder folder_{"blip3u-stage"};
};

void expect_same_bits(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].name, b[i].name);
    EXPECT_TRUE(at::equal(a[i].value, b[i].value)) << a[i].name;
  }
}

TEST_F(StageTest, LowersTheLossAndRecordsEveryStep) {
  const StageRecord record = train("plain");
  ASSERT_EQ(record.losses.at("difference").size(), 12u);
  EXPECT_EQ(record.losses.at("difference"), record.losses.at("total"));
  EXPECT_LT(record.losses.at("total").back(), 0.5 * record.losses.at("total").front());
}

TEST_F(StageTest, EndsInTheSameBitsWhereverItCrashed) {
  train("undisturbed");
  for (int crash = 0; crash < 12; ++crash) {
    const std::string name = "crash" + std::to_string(crash);
    FakeEncoder::calls = 0;
    FakeEncoder::fail_at = crash;
    EXPECT_THROW(train(name), std::runtime_error);
    FakeEncoder::fail_at = -1;
    const StageRecord record = train(name);
    EXPECT_EQ(record.losses.at("total").size(), 12u);
    expect_same_bits(weights(name), weights("undisturbed"));
    EXPECT_FALSE(fs::exists(folder_ / name / "progress.safetensors"));
  }
}

TEST_F(StageTest, GoesOnFromTheLastCheckpointOnly) {
  FakeEncoder::fail_at = 8;
  EXPECT_THROW(train("stage"), std::runtime_error);
  FakeEncoder::calls = 0;
  FakeEncoder::fail_at = -1;
  train("stage");
  EXPECT_EQ(FakeEncoder::calls, 12 - 6);
}

TEST_F(StageTest, IsNotTrainedAgainWhenComplete) {
  train("stage");
  FakeEncoder::calls = 0;
  const StageRecord record = train("stage");
  EXPECT_EQ(FakeEncoder::calls, 0);
  EXPECT_EQ(record.losses.at("total").size(), 12u);
}

TEST_F(StageTest, DependsOnTheSeed) {
  train("a");
  train("b", fake_stage(), 8);
  bool differs = false;
  const auto a = weights("a"), b = weights("b");
  for (std::size_t i = 0; i < a.size(); ++i) differs |= !at::equal(a[i].value, b[i].value);
  EXPECT_TRUE(differs);
}

TEST_F(StageTest, WeighsLossesByTheRecipe) {
  Recipe recipe = fake_recipe();
  recipe.pipeline.parts.at("encoder").loss_weights["difference"] = 0.25;
  const StageRecord record = train("stage", fake_stage(), 7, recipe);
  EXPECT_FLOAT_EQ(record.losses.at("total").front(), 0.25 * record.losses.at("difference").front());
}

TEST_F(StageTest, RefusesALossThatIsNotDeclared) {
  Recipe recipe = fake_recipe();
  recipe.pipeline.parts.at("encoder").loss_weights.clear();
  try {
    train("stage", fake_stage(), 7, recipe);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::plugin);
    EXPECT_STREQ(error.what(),
                 "/fake.so: encoder `fake` returned a loss `difference` that its descriptor does not "
                 "declare; add it to `losses` there");
  }
}

TEST_F(StageTest, KeepsNoWeightsThatTheLastStepDestroyed) {
  Stage stage = fake_stage();
  stage.steps = 1;
  FakeEncoder::spoil_gradients = true;
  EXPECT_THAT(message_of([&] { train("diverged", stage); }),
              ::testing::MatchesRegex("stage `encoder`, step 0: the gradient of the weight encoder/.* is not finite; "
                                      "lower training.encoder.learning_rate"));
  EXPECT_FALSE(fs::exists(stage_weights(folder_ / "diverged")));
}

TEST_F(StageTest, KeepsTheLastGoodProgressWhereAGradientIsNotFinite) {
  FakeEncoder::fail_at = 8;
  EXPECT_THROW(train("stage"), std::runtime_error);
  const fs::path progress = folder_ / "stage" / "progress.safetensors";
  const std::string good = read_text(progress);
  FakeEncoder::calls = 0;
  FakeEncoder::fail_at = -1;
  FakeEncoder::spoil_gradients = true;
  FakeEncoder::interrupt_at = 0;  // which asks for progress to be saved right after the step
  EXPECT_THAT(message_of([&] { train("stage"); }),
              ::testing::MatchesRegex("stage `encoder`, step 6: the gradient of the weight encoder/.* is not finite; "
                                      "lower training.encoder.learning_rate"));
  EXPECT_EQ(read_text(progress), good);
}

TEST_F(StageTest, TrainsTheWeightsThatAPatternNamesAndSavesNoOthers) {
  Stage stage = fake_stage();
  stage.train = {"encoder:*.bias"};
  train("part", stage);
  std::vector<std::string> names;
  for (const NamedTensor& tensor : weights("part")) names.push_back(tensor.name);
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("encoder/linear.bias", "series/difference", "series/total"));

  Pipeline fresh(fake_recipe(), std::make_unique<FakeTokenizer>(), at::kCPU);
  Pipeline trained(fake_recipe(), std::make_unique<FakeTokenizer>(), at::kCPU);
  load_stage_weights(stage_weights(folder_ / "part"), stage, trained);
  for (const NamedTensor& before : fresh.encoder().weights()) {
    for (const NamedTensor& after : trained.encoder().weights()) {
      if (after.name != before.name) continue;
      EXPECT_EQ(at::equal(after.value, before.value), before.name == "linear.weight") << before.name;
    }
  }
  stage.train = {"encoder:layers.*"};
  EXPECT_THAT(message_of([&] { train("none", stage); }),
              ::testing::HasSubstr("stage `encoder`: no weight of the encoder matches `layers.*`; its first is `"));
}

TEST_F(StageTest, TwoRunsMakeTheSameFile) {
  train("a");
  train("b");
  EXPECT_EQ(read_text(stage_weights(folder_ / "a")), read_text(stage_weights(folder_ / "b")));
}

TEST_F(StageTest, AnInterruptLosesNoStep) {
  const auto interrupted_at = [&](int call) {
    FakeEncoder::interrupt_at = call;
    try {
      train("stage");
    } catch (const Interrupted&) {
      std::exit(42);
    }
    std::exit(43);
  };
  // In processes of their own, since an interrupt stays one.
  EXPECT_EXIT(interrupted_at(7), ::testing::ExitedWithCode(42), "");
  FakeEncoder::calls = 0;
  train("stage");
  EXPECT_EQ(FakeEncoder::calls, 12 - 8);
  fs::remove_all(folder_ / "stage");
  FakeEncoder::calls = 0;
  EXPECT_EXIT(interrupted_at(11), ::testing::ExitedWithCode(43), "") << "the last step is done, so the stage is";
  EXPECT_TRUE(fs::exists(stage_weights(folder_ / "stage")));
}

TEST_F(StageTest, RefusesADamagedCheckpoint) {
  FakeEncoder::fail_at = 8;
  EXPECT_THROW(train("stage"), std::runtime_error);
  const fs::path file = folder_ / "stage" / "progress.safetensors";
  std::string bytes = read_text(file);
  bytes[bytes.size() / 2] ^= 1;
  write_atomically(file, bytes);
  FakeEncoder::fail_at = -1;
  try {
    train("stage");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::AllOf(::testing::StartsWith(file.string()), ::testing::HasSubstr("checksum")));
  }
}

TEST_F(StageTest, SaysWhichTensorBelongsToAnotherArchitecture) {
  const fs::path file = folder_ / "other.safetensors";
  save_safetensors(file, {{"encoder/linear.weight", at::zeros({5, 192})}, {"encoder/linear.bias", at::zeros({4})}});
  Pipeline pipeline(fake_recipe(), std::make_unique<FakeTokenizer>(), at::kCPU);
  try {
    load_stage_weights(file, fake_stage(), pipeline);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("encoder/linear.weight: [5,192] in the file, [4,192] in the model"));
  }
}

}  // namespace
}  // namespace blip3u::testing
