#include "training/training_data.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "fakes.h"
#include "temporary_folder.h"

namespace blip3u::testing {
namespace {

TEST(BatchIndices, EveryPassHoldsEachItemOnceWhateverTheBatch) {
  std::vector<std::int64_t> by_three, by_five;
  for (int step = 0; step < 10; ++step) {
    for (const std::int64_t index : ShuffledOrder().batch(1, 10, 3, step)) by_three.push_back(index);
  }
  for (int step = 0; step < 6; ++step) {
    for (const std::int64_t index : ShuffledOrder().batch(1, 10, 5, step)) by_five.push_back(index);
  }
  EXPECT_EQ(by_three, by_five);
  for (int pass = 0; pass < 3; ++pass) {
    const std::set<std::int64_t> items(by_three.begin() + 10 * pass, by_three.begin() + 10 * (pass + 1));
    EXPECT_EQ(items.size(), 10u);
  }
  EXPECT_FALSE(std::equal(by_three.begin(), by_three.begin() + 10, by_three.begin() + 10));
}

TEST(BatchIndices, DependOnTheSeed) {
  EXPECT_NE(ShuffledOrder().batch(1, 100, 20, 0), ShuffledOrder().batch(2, 100, 20, 0));
}

TEST(FeatureTable, ComesFromTheCacheTheSecondTime) {
  const TemporaryFolder folder("blip3u-features");
  const FakeDataset dataset;
  FakeEncoder encoder({}, {.seed = 3}), other({}, {.seed = 4});
  const FeatureTable made(encoder, dataset, at::kCPU, folder.path(), "key");
  EXPECT_EQ(made.all().x.sizes(), (at::IntArrayRef{fake_images, 1, 4}));
  const FeatureTable kept(other, dataset, at::kCPU, folder.path(), "key");
  EXPECT_TRUE(at::equal(kept.all().x, made.all().x));
  const FeatureTable fresh(other, dataset, at::kCPU, folder.path(), "other key");
  EXPECT_FALSE(at::equal(fresh.all().x, made.all().x));
  const Visual rows = made.rows({4, 1});
  EXPECT_TRUE(at::equal(rows.x[0], made.all().x[4]));
  EXPECT_TRUE(at::equal(rows.x[1], made.all().x[1]));
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

TEST(FeatureTable, KeepsCodesToo) {
  const TemporaryFolder folder("blip3u-features");
  const FakeDataset dataset;
  CodingEncoder encoder;
  for (int time = 0; time < 2; ++time) {
    const FeatureTable table(encoder, dataset, at::kCPU, folder.path(), "key");
    EXPECT_FALSE(table.all().x.defined());
    EXPECT_TRUE(at::equal(table.all().codes, at::ones({fake_images, 2, 1}, at::kLong)));
  }
}

}  // namespace
}  // namespace blip3u::testing
