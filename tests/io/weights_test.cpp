#include <ATen/ATen.h>

#include <fstream>

#include "io/files.h"
#include "io/safetensors.h"
#include "support.h"
#include "weights/folder.h"
#include "weights/safetensors_view.h"

namespace blip3u {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class WeightsFolder : public testing::Test {
 protected:
  /// Two shards with an index that says what `map` does.
  void shards(const std::string& map) {
    save_safetensors(folder_ / "one.safetensors", {{"a", at::arange(6, at::kFloat).view({2, 3})}});
    save_safetensors(folder_ / "two.safetensors", {{"b", at::ones({4}, at::kBFloat16)}, {"c", at::zeros({2})}});
    put(folder_ / "model.safetensors.index.json", "{\"weight_map\": {" + map + "}}");
  }
  std::string message() {
    return message_of([&] { open_weights(folder_ / ""); });
  }
  TemporaryFolder folder_;
};

TEST_F(WeightsFolder, ReadsShards) {
  shards(R"("a": "one.safetensors", "b": "two.safetensors", "c": "two.safetensors")");
  put(folder_ / "config.json", "{}");
  const auto weights = open_weights(folder_ / "");
  ASSERT_EQ(weights->list().size(), 3U);
  EXPECT_EQ(weights->list()[1].name, "b");
  EXPECT_EQ(weights->list()[1].dtype, at::kBFloat16);
  EXPECT_EQ(weights->list()[0].shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_TRUE(weights->view("a").equal(at::arange(6, at::kFloat).view({2, 3})));
  EXPECT_EQ(weights->text("config.json"), "{}");
  EXPECT_THAT(message_of([&] { weights->view("d"); }), HasSubstr("has no tensor 'd'"));
}

TEST_F(WeightsFolder, ViewsAreTheFilesPagesAndWritingStaysInside) {
  save_safetensors(folder_ / "model.safetensors", {{"a", at::zeros({4})}});
  Tensor first;
  {
    const auto weights = open_weights(folder_ / "");
    first = weights->view("a");
    EXPECT_EQ(first.data_ptr(), weights->view("a").data_ptr()) << "a view copies nothing";
  }
  first.fill_(1);
  EXPECT_TRUE(open_weights(folder_ / "")->view("a").eq(0).all().item<bool>());
  EXPECT_TRUE(first.eq(1).all().item<bool>()) << "a view outlives what it came from";
}

TEST_F(WeightsFolder, NamesWhatIsMissingDoubledAndSurplus) {
  EXPECT_THAT(message(), HasSubstr("neither model.safetensors nor"));
  shards(R"("a": "one.safetensors", "b": "two.safetensors", "d": "two.safetensors")");
  EXPECT_THAT(message(), AllOf(HasSubstr("two.safetensors holds 'c', which the index does not say"),
                               HasSubstr("'d' is missing in two.safetensors")));
  shards(R"("a": "gone.safetensors")");
  EXPECT_THAT(message(), HasSubstr("gone.safetensors: cannot be opened"));
  shards(R"("a": "../one.safetensors")");
  EXPECT_THAT(message(), HasSubstr("'a' is in no file of this folder"));
  shards(R"("a": "one.safetensors", "b": "two.safetensors", "c": "two.safetensors")");
  save_safetensors(folder_ / "one.safetensors", {{"a", at::ones({1})}, {"b", at::ones({1})}});
  EXPECT_THAT(message(), HasSubstr("holds 'b', as another file of the folder does"));
  const std::string whole = read_text(folder_ / "one.safetensors");
  put(folder_ / "one.safetensors", whole.substr(0, whole.size() - 1));
  EXPECT_THAT(message(), AllOf(HasSubstr("one.safetensors"), HasSubstr("truncated")));
}

TEST_F(WeightsFolder, EveryTypeReadsBack) {
  for (const at::ScalarType type :
       {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kFloat8_e4m3fn, at::kFloat8_e5m2, at::kLong, at::kInt,
        at::kShort, at::kChar, at::kUInt64, at::kUInt32, at::kUInt16, at::kByte, at::kBool}) {
    const Tensor value = at::tensor({1.0, 0.0, 1.0}).to(type);
    save_safetensors(folder_ / "model.safetensors", {{"odd", at::ones({3}, at::kByte)}, {"t", value}});
    const Tensor read = open_weights(folder_ / "")->view("t");
    EXPECT_EQ(read.scalar_type(), type);
    EXPECT_TRUE(read.to(at::kDouble).equal(value.to(at::kDouble))) << c10::toString(type);
  }
}

}  // namespace
}  // namespace blip3u
