#include "io/array_cache.h"

#include <ATen/ATen.h>

#include <chrono>
#include <thread>

#include "io/files.h"
#include "support.h"

namespace blip3u {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Cache : public testing::Test {
 protected:
  TemporaryFolder folder_;
  std::vector<std::string> warnings_;
  ArrayCache cache_{folder_.path() / "cache", [this](const std::string& message) { warnings_.push_back(message); }};
  std::filesystem::path file_ = folder_.path() / "cache/key.h5";
};

TEST_F(Cache, RoundTrip) {
  EXPECT_FALSE(cache_.load("key").has_value());
  const Tensor features = at::arange(24, at::kFloat).view({2, 3, 4}).transpose(1, 2);
  const Tensor codes = at::tensor({std::int64_t{1} << 50, std::int64_t{-3}});
  cache_.save("key", features);
  cache_.save("codes", codes);
  cache_.save("empty", at::zeros({0, 3}));
  EXPECT_TRUE(cache_.load("key")->equal(features));
  EXPECT_TRUE(cache_.load("codes")->equal(codes));
  EXPECT_EQ(cache_.load("empty")->sizes(), at::IntArrayRef({0, 3}));
  cache_.save("key", features + 1);
  EXPECT_TRUE(cache_.load("key")->equal(features + 1));
  EXPECT_THAT(warnings_, IsEmpty());
  EXPECT_THROW(cache_.save("bool", at::ones({2}, at::kBool)), Error);
  EXPECT_EQ(read_text(file_).substr(512, 8), "\x89HDF\r\n\x1a\n") << "other programs find HDF5 after the user block";
}

TEST_F(Cache, DamageIsReportedAndCountsAsAbsent) {
  cache_.save("key", at::ones({10, 3}));
  const std::string whole = read_text(file_);
  std::size_t count = 0;
  const auto expect_absent = [&](const std::string& content) {
    put(file_, content);
    EXPECT_FALSE(cache_.load("key").has_value());
    ASSERT_EQ(warnings_.size(), ++count);
    EXPECT_THAT(warnings_.back(), HasSubstr(file_.string()));
    EXPECT_THAT(warnings_.back(), HasSubstr("computed anew"));
  };
  for (std::size_t length = 0; length < whole.size(); length += 97) expect_absent(whole.substr(0, length));
  for (std::size_t place = 512; place < whole.size(); place += 61) {
    std::string altered = whole;
    altered[place] = static_cast<char>(altered[place] ^ 1);
    expect_absent(altered);
  }
  cache_.save("key", at::zeros({2}));
  EXPECT_TRUE(cache_.load("key")->equal(at::zeros({2})));
}

TEST_F(Cache, DiskThatFillsUp) {
  std::string message;
  {
    const FullDisk disk(20000);
    message = message_of([&] { cache_.save("key", at::ones({100000})); });
  }
  EXPECT_THAT(message, HasSubstr("key.h5: cannot be written: File too large"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() / "cache"));
}

TEST_F(Cache, NoSpaceLeftLeavesTheOldFile) {
  cache_.save("key", at::ones({3}));
  expect_no_space_for(file_, [&] { cache_.save("key", at::zeros({3})); });
  EXPECT_TRUE(cache_.load("key")->equal(at::ones({3})));
}

TEST_F(Cache, TheSameArraysMakeTheSameFile) {
  const std::vector<Column> columns = {{"loss", {0.5, 0.25}}};
  write_series(folder_ / "first.h5", columns);
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // HDF5 counts time in seconds
  write_series(folder_ / "second.h5", columns);
  EXPECT_EQ(read_text(folder_ / "first.h5"), read_text(folder_ / "second.h5"));
}

TEST_F(Cache, Series) {
  write_series(folder_ / "metrics.h5", {{"step", {1, 2, 3}}, {"loss", {0.5, 0.25, 0.125}}});
  const auto columns = read_series(folder_ / "metrics.h5");
  ASSERT_EQ(columns.size(), 2u);
  EXPECT_EQ(columns[0].name, "loss");
  EXPECT_THAT(columns[0].values, ElementsAre(0.5, 0.25, 0.125));
  EXPECT_THAT(columns[1].values, ElementsAre(1, 2, 3));
  write_atomically(folder_ / "metrics.h5", "not HDF5");
  EXPECT_THAT(message_of([&] { read_series(folder_ / "metrics.h5"); }), HasSubstr("metrics.h5: not an array file"));
}

}  // namespace
}  // namespace blip3u
