#include "evaluating/influence.h"

#include <gtest/gtest.h>

#include "blip3u/error.h"
#include "io/interrupt.h"

namespace blip3u {
namespace {

std::vector<ItemRecord> records_of(const std::vector<double>& values) {
  std::vector<ItemRecord> records;
  for (const double value : values) {
    records.push_back({.id = std::to_string(records.size()), .score = value});
  }
  return records;
}

std::vector<Score> mean(std::span<const ItemRecord> records) {
  if (records.empty()) throw Error("no records");
  double sum = 0;
  for (const ItemRecord& record : records) sum += record.score;
  return {{.name = "mean", .value = sum / static_cast<double>(records.size())}};
}

// Without x_i the mean of n is (n mean - x_i) / (n - 1), so that x_i adds (x_i - mean) / (n - 1).
TEST(Influences, AreThoseOfAMeanInClosedForm) {
  const std::vector<double> values = {1, 2, 6};
  const auto records = records_of(values);
  const Influences influences = influences_of(mean(records), records, mean);
  EXPECT_NEAR(influences.at("mean").at("0"), (1.0 - 3) / 2, 1e-12);
  EXPECT_NEAR(influences.at("mean").at("1"), (2.0 - 3) / 2, 1e-12);
  EXPECT_NEAR(influences.at("mean").at("2"), (6.0 - 3) / 2, 1e-12);
}

TEST(Influences, OfTheOnlyGroupNothingCanBeTold) {
  const auto records = records_of({1});
  EXPECT_TRUE(influences_of(mean(records), records, mean).at("mean").empty());
}

TEST(Influences, HearAnInterrupt) {
  const auto records = records_of({1, 2});
  const auto interrupted = [](std::span<const ItemRecord>) -> std::vector<Score> { throw Interrupted("stop"); };
  EXPECT_THROW(influences_of(mean(records), records, interrupted), Interrupted);
}

}  // namespace
}  // namespace blip3u
