#include "pipeline/create.h"

#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "blip3u/host.h"
#include "io/safetensors.h"
#include "temporary_folder.h"

namespace blip3u::testing {
namespace {

/// Reads its words only when it is asked.
class FromFolder final : public Tokenizer {
 public:
  FromFolder(const Parameters&, const BuildContext& context) : weights_(*context.host->weights()) {}
  std::string serialize() const override { return {}; }
  void restore(const std::string&) override {}
  std::int64_t vocabulary() const override { return 1; }
  std::vector<std::int64_t> encode(std::string_view) const override { return {0}; }
  std::string decode(const std::vector<std::int64_t>&) const override { return weights_.text("tokenizer.json"); }

 private:
  const Weights& weights_;
};
constexpr ComponentDescriptor from_folder{
    .kind = Kind::tokenizer, .name = "fake", .summary = "", .create = &create<FromFolder>};

TEST(MakeTokenizer, KeepsTheFolderThatTheRecipeGivesIt) {
  const TemporaryFolder folder("blip3u-create");
  save_safetensors(folder.path() / "model.safetensors", {{"table", at::zeros({1})}}, {});
  folder.write("tokenizer.json", "{}");
  Recipe recipe{.tokenizer = {.kind = Kind::tokenizer,
                              .name = "fake",
                              .entry = {&from_folder, "/fake.so", "1", "hash"},
                              .parameters = {},
                              .weights = WeightsChoice{folder.path().string(), ""}}};
  EXPECT_EQ(make_tokenizer(recipe)->decode({0}), "{}");
}

}  // namespace
}  // namespace blip3u::testing
