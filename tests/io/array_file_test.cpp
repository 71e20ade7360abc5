#include "io/array_file.h"

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

class Arrays : public testing::Test {
 protected:
  void save(const Tensor& array, const std::string& name = "data") const { ArrayFile::write(file_, {{name, array}}); }
  Tensor load(const std::string& name = "data") const { return ArrayFile(file_).read(name); }

  TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "arrays/key.h5";
};

TEST_F(Arrays, RoundTrip) {
  const Tensor features = at::arange(24, at::kFloat).view({2, 3, 4}).transpose(1, 2);
  const Tensor codes = at::tensor({std::int64_t{1} << 50, std::int64_t{-3}});
  ArrayFile::write(file_, {{"features", features}, {"codes", codes}, {"empty", at::zeros({0, 3})}});
  EXPECT_TRUE(load("features").equal(features));
  EXPECT_TRUE(load("codes").equal(codes));
  EXPECT_EQ(load("empty").sizes(), at::IntArrayRef({0, 3}));
  save(features + 1);
  EXPECT_TRUE(load().equal(features + 1));
  EXPECT_THROW(save(at::ones({2}, at::kBool)), Error);
  EXPECT_EQ(read_text(file_).substr(512, 8), "\x89HDF\r\n\x1a\n") << "other programs find HDF5 after the user block";
}

TEST_F(Arrays, DamageIsReported) {
  save(at::ones({10, 3}));
  const std::string whole = read_text(file_);
  const auto expect_refused = [&](const std::string& content) {
    put(file_, content);
    EXPECT_THAT(message_of([&] { load(); }), HasSubstr(file_.string()));
  };
  for (std::size_t length = 0; length < whole.size(); length += 97) expect_refused(whole.substr(0, length));
  for (std::size_t place = 512; place < whole.size(); place += 61) {
    std::string altered = whole;
    altered[place] = static_cast<char>(altered[place] ^ 1);
    expect_refused(altered);
  }
  save(at::zeros({2}));
  EXPECT_TRUE(load().equal(at::zeros({2})));
}

TEST_F(Arrays, DiskThatFillsUp) {
  std::string message;
  {
    const FullDisk disk(20000);
    message = message_of([&] { save(at::ones({100000})); });
  }
  EXPECT_THAT(message, HasSubstr("key.h5: cannot be written: File too large"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() / "arrays"));
}

TEST_F(Arrays, NoSpaceLeftLeavesTheOldFile) {
  save(at::ones({3}));
  expect_no_space_for(file_, [&] { save(at::zeros({3})); });
  EXPECT_TRUE(load().equal(at::ones({3})));
}

TEST_F(Arrays, TheSameArraysMakeTheSameFile) {
  const std::vector<Column> columns = {{"loss", {0.5, 0.25}}};
  write_series(folder_ / "first.h5", columns);
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // HDF5 counts time in seconds
  write_series(folder_ / "second.h5", columns);
  EXPECT_EQ(read_text(folder_ / "first.h5"), read_text(folder_ / "second.h5"));
}

TEST_F(Arrays, Series) {
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
