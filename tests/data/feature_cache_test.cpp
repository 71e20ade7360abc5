#include "data/feature_cache.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "message_of.h"
#include "temporary_folder.h"

namespace blip3u {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Features : public testing::Test {
 protected:
  FeatureCache open() {
    return FeatureCache(folder_.path(), 3, [this](const std::string& message) { warnings_.push_back(message); });
  }

  /// Row i has 1 + i mod 4 tokens.
  static FeatureRow row(std::int64_t i) {
    const std::int64_t tokens = 1 + i % 4;
    return {.x = at::arange(tokens * 5, at::kFloat).reshape({tokens, 5}) + 100.0 * static_cast<double>(i),
            .codes = at::arange(tokens * 2, at::kLong).reshape({tokens, 2}) + i};
  }

  static bool is_row(const FeatureRow& found, std::int64_t i) {
    return found.x.equal(row(i).x) && found.codes.equal(row(i).codes);
  }

  static void fill(FeatureCache& cache, std::int64_t from, std::int64_t to) {
    for (std::int64_t i = from; i < to; ++i) cache.add("picture " + std::to_string(i), row(i));
  }

  /// Fills chunk after chunk, and returns what each is called.
  std::vector<std::string> fill_chunks(FeatureCache& cache, std::int64_t count) const {
    std::vector<std::string> names;
    for (std::int64_t chunk = 0; chunk < count; ++chunk) {
      fill(cache, 3 * chunk, 3 * (chunk + 1));
      for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
        const std::string file = entry.path().filename().string(), name = file.substr(0, file.find('-'));
        if (std::ranges::find(names, name) == names.end()) names.push_back(name);
      }
    }
    return names;
  }

  TemporaryFolder folder_{"blip3u-features"};
  std::vector<std::string> warnings_;
};

TEST_F(Features, GivesRowsOfUnlikeLengthById) {
  auto cache = open();
  fill(cache, 0, 8);
  for (std::int64_t i = 0; i < 8; ++i) EXPECT_TRUE(is_row(cache.row("picture " + std::to_string(i)), i)) << i;
  cache.flush();
  const auto again = open();
  EXPECT_EQ(again.size(), 8);
  for (std::int64_t i = 7; i >= 0; --i) EXPECT_TRUE(is_row(again.row("picture " + std::to_string(i)), i)) << i;
  EXPECT_THAT(message_of([&] { again.row("another"); }), HasSubstr("no features of 'another'"));
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(Features, SeveralFillOneTable) {
  auto one = open(), other = open();
  fill(one, 0, 3);
  fill(other, 0, 6);
  fill(one, 6, 9);
  const auto both = open();
  EXPECT_EQ(both.size(), 9);
  for (std::int64_t i = 0; i < 9; ++i) EXPECT_TRUE(is_row(both.row("picture " + std::to_string(i)), i)) << i;
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(Features, AnInterruptLosesOneChunkAtMost) {
  std::vector<std::string> chunks;
  {
    auto cache = open();
    chunks = fill_chunks(cache, 2);
    fill(cache, 6, 8);
  }  // not flushed
  auto cache = open();
  EXPECT_EQ(cache.size(), 6);
  for (std::int64_t i = 0; i < 8; ++i) EXPECT_EQ(cache.holds("picture " + std::to_string(i)), i < 6);
  fill(cache, 6, 8);
  cache.flush();
  EXPECT_EQ(open().size(), 8);
  std::filesystem::remove(folder_ / (chunks.at(1) + "-index.h5"));  // as if killed between the chunk's two files
  auto killed = open();
  EXPECT_EQ(killed.size(), 5);
  fill(killed, 3, 6);
  EXPECT_TRUE(is_row(killed.row("picture 4"), 4));
  EXPECT_TRUE(is_row(open().row("picture 4"), 4));
}

TEST_F(Features, CodesAloneAndFeaturesAloneAreRowsToo) {
  auto cache = open();
  cache.add("a", {.x = {}, .codes = at::arange(4)});
  cache.flush();
  cache.add("b", {.x = at::ones({2, 3}), .codes = {}});
  cache.flush();
  EXPECT_FALSE(cache.row("a").x.defined());
  EXPECT_TRUE(cache.row("a").codes.equal(at::arange(4)));
  EXPECT_FALSE(cache.row("b").codes.defined());
}

TEST_F(Features, RefusesWhatDoesNotFit) {
  auto cache = open();
  cache.add("a", row(1));
  EXPECT_THAT(message_of([&] { cache.add("a", row(1)); }), HasSubstr("'a' already"));
  EXPECT_THAT(message_of([&] { cache.add("b", {}); }), HasSubstr("'b' are not"));
  EXPECT_THAT(message_of([&] {
                cache.add("b", {.x = at::ones({2, 5}), .codes = at::ones({3}, at::kLong)});
              }),
              HasSubstr("'b' are not"));
  EXPECT_THAT(message_of([&] { cache.add("b", {.x = at::ones({2, 4}), .codes = {}}); }), HasSubstr("another width"));
}

TEST_F(Features, NamesADamagedChunk) {
  std::vector<std::string> chunks;
  {
    auto cache = open();
    chunks = fill_chunks(cache, 2);
  }
  const auto damage = [](const std::filesystem::path& file) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(1000);
    stream << "?!";
  };
  damage(folder_ / (chunks.at(0) + "-rows.h5"));
  damage(folder_ / (chunks.at(1) + "-index.h5"));
  const auto cache = open();
  EXPECT_EQ(cache.size(), 3);
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr(chunks.at(1) + "-index.h5: truncated or damaged")));
  const std::string message = message_of([&] { cache.row("picture 0"); });
  EXPECT_THAT(message, HasSubstr(chunks.at(0) + "-rows.h5: truncated or damaged"));
  EXPECT_THAT(message, HasSubstr(chunks.at(0) + "-index.h5"));
}

}  // namespace
}  // namespace blip3u
