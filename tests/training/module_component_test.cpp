#include "blip3u/module_component.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "blip3u/decoder.h"
#include "blip3u/nn/modules.h"
#include "fakes.h"
#include "io/safetensors.h"
#include "message_of.h"
#include "pipeline/host.h"
#include "temporary_folder.h"

namespace blip3u::testing {
namespace {

class Holder final : public ModuleComponent<Decoder> {
 public:
  explicit Holder(const BuildContext& context) {
    register_module("linear", torch::nn::Linear(2, 3));
    register_buffer("counts", at::zeros({4}, at::kLong));
    register_buffer("mean", at::zeros({4}));
    finish(context);
  }
  Tensor decode(const DecodeTask& task) override { return task.visual.x; }
};

TEST(ModuleComponent, GivesItsTypeToFloatsAlone) {
  const Holder holder({.dtype = at::kDouble});
  for (const NamedTensor& weight : holder.weights()) EXPECT_EQ(weight.value.scalar_type(), at::kDouble) << weight.name;
  ASSERT_EQ(holder.state().size(), 2U);
  EXPECT_EQ(holder.state()[0].value.scalar_type(), at::kLong);
  EXPECT_EQ(holder.state()[1].value.scalar_type(), at::kDouble);
}

/// The same names in modules of LibTorch and of the SDK.
template <class Linear, class Table>
class Small final : public ModuleComponent<Decoder> {
 public:
  explicit Small(const BuildContext& context, std::span<const Name> names = {}) {
    linear = register_module("linear", Linear(3, 6));
    table = register_module("table", Table(5, 3));
    finish(context, names);
  }
  Tensor decode(const DecodeTask& task) override { return task.visual.x; }
  Linear linear{nullptr};
  Table table{nullptr};
};
using Ours = Small<nn::Linear, nn::Embedding>;
using Torchs = Small<torch::nn::Linear, torch::nn::Embedding>;

TEST(ModuleComponent, DrawsTheSameForModulesOfTheSdk) {
  const Ours ours({.dtype = at::kBFloat16, .seed = 7});
  const Torchs theirs({.dtype = at::kBFloat16, .seed = 7});
  ASSERT_EQ(ours.weights().size(), theirs.weights().size());
  for (std::size_t i = 0; i < ours.weights().size(); ++i) {
    EXPECT_EQ(ours.weights()[i].name, theirs.weights()[i].name);
    EXPECT_TRUE(ours.weights()[i].value.equal(theirs.weights()[i].value)) << ours.weights()[i].name;
    EXPECT_TRUE(ours.weights()[i].value.requires_grad());
  }
}

TEST(ModuleComponent, DrawsOtherWeightsForSeedsThatDifferInHighBits) {
  const Ours low({.seed = 7}), high({.seed = 7 + (std::uint64_t{1} << 32)});
  EXPECT_FALSE(low.linear->weight.equal(high.linear->weight));
  EXPECT_FALSE(low.table->weight.equal(high.table->weight));
  const auto drawn = [](std::uint64_t seed) { return learned_table({2, 3}, 1, seed, "queries"); };
  EXPECT_TRUE(drawn(7).equal(drawn(7)));
  EXPECT_FALSE(drawn(7).equal(drawn(7 + (std::uint64_t{1} << 32))));
}

TEST(ModulesOfTheSdk, HaveNoMemoryBeforeTheyAreFilled) {
  const nn::Linear huge(1 << 20, 1 << 20);  // 4 TiB
  EXPECT_TRUE(huge->weight.is_meta());
}

TEST(ModulesOfTheSdk, ComputeWhatLibTorchsDo) {
  const auto filled = [](nn::Deferred& module) {
    for (const auto& slot : module.slots())
      module.fill(slot, at::arange(slot.tensor->numel()).view_as(*slot.tensor).div(10).sin());
  };
  nn::Conv2d conv(2, 3, 3, 2, 1);
  nn::RMSNorm rms(4);
  nn::LayerNorm layer(4);
  for (nn::Deferred* module : std::initializer_list<nn::Deferred*>{conv.get(), rms.get(), layer.get()}) filled(*module);
  const Tensor image = at::arange(2 * 6 * 6, at::kFloat).cos().view({1, 2, 6, 6});
  EXPECT_TRUE(conv(image).equal(at::conv2d(image, conv->weight, conv->bias, 2, 1)));
  const Tensor x = at::tensor({1.0F, -2.0F, 3.0F, 0.5F});
  EXPECT_TRUE(rms(x).allclose(x / (x.square().mean() + 1e-6).sqrt() * rms->weight));
  const Tensor centred = x - x.mean();
  EXPECT_TRUE(layer(x).allclose(centred / (centred.square().mean() + 1e-5).sqrt() * layer->weight + layer->bias));
}

class LoadedModule : public ::testing::Test {
 protected:
  void save(const std::vector<NamedTensor>& tensors) { save_safetensors(folder_ / "model.safetensors", tensors); }
  BuildContext context() {
    ComponentChoice choice{.kind = Kind::decoder, .name = "small", .entry = {}, .parameters = {}};
    choice.weights = {folder_ / "", ""};
    host_ = make_host(choice);
    return {.host = host_.get(), .dtype = at::kBFloat16, .seed = 1};
  }
  template <class Module = Ours>
  std::string message(std::span<const Name> names = {}) {
    return message_of([&] { Module(context(), names); });
  }
  TemporaryFolder folder_;
  std::unique_ptr<Host> host_;
  const Tensor weight_ = at::arange(18, at::kFloat).view({6, 3}).to(at::kBFloat16);
  const Tensor bias_ = at::arange(6, at::kFloat).to(at::kBFloat16), table_ = at::full({5, 3}, 9.0).to(at::kBFloat16);
};

TEST_F(LoadedModule, TakesTheFilesOwnPages) {
  save({{"linear.weight", weight_}, {"linear.bias", bias_}, {"table.weight", table_}});
  const BuildContext given = context();
  const Ours ours(given);
  EXPECT_TRUE(ours.linear->weight.equal(weight_));
  EXPECT_TRUE(ours.linear->bias.equal(bias_));
  EXPECT_TRUE(ours.table->weight.equal(table_));
  EXPECT_EQ(ours.linear->weight.data_ptr(), given.host->weights()->view("linear.weight").data_ptr());
  const Torchs theirs(given);
  EXPECT_TRUE(theirs.linear->weight.equal(weight_));
}

TEST_F(LoadedModule, TransposedFusedAndIgnored) {
  // Ours is joined of two; theirs holds two of ours.
  const std::vector<Name> names = {{"linear.weight", "q", Name::fused},
                                   {"linear.weight", "k", Name::fused},
                                   {"*.bias", "deep.*.b"},
                                   {"table.weight", "turned", Name::transposed},
                                   {"", "vision.*", Name::ignored}};
  save({{"q", weight_.slice(0, 0, 2)},
        {"k", weight_.slice(0, 2, 6)},
        {"deep.linear.b", bias_},
        {"turned", table_.t()},
        {"vision.more", bias_}});
  const Ours ours(context(), names);
  EXPECT_TRUE(ours.linear->weight.equal(weight_));
  EXPECT_TRUE(ours.linear->bias.equal(bias_));
  EXPECT_TRUE(ours.table->weight.equal(table_));
}

TEST_F(LoadedModule, EveryWeightIsWrittenOnce) {
  using ::testing::AllOf;
  using ::testing::HasSubstr;
  save({{"linear.weight", weight_}, {"linear.bias", bias_}, {"other", bias_}});
  EXPECT_THAT(message(), AllOf(HasSubstr("table.weight: missing in the folder"),
                               HasSubstr("table.weight: no tensor of the folder is all of it"),
                               HasSubstr("other: nothing uses it")));
  save({{"linear.weight", weight_.t()}, {"linear.bias", bias_}, {"table.weight", table_}});
  EXPECT_THAT(message(), HasSubstr("linear.weight: BFloat16 [3,6], but linear.weight is Float [6,3]"));
  save({{"linear.weight", weight_}, {"linear.bias", bias_}, {"table.weight", table_}});
  const std::vector<Name> doubled = {{"linear.*", "linear.*"}, {"table.*", "table.*"}, {"linear.bias", "linear.bias"}};
  EXPECT_THAT(message(doubled), HasSubstr("linear.bias: written twice"));
  const std::vector<Name> half = {{"linear.weight", "linear.weight"},
                                  {"linear.bias", "linear.bias"},
                                  {"table.weight", "linear.weight", Name::fused}};
  EXPECT_THAT(message<Torchs>(half), HasSubstr("linear.weight: has no rows left for table.weight"));
}

/// Four matrices of 512 MiB.
class Large final : public ModuleComponent<Decoder> {
 public:
  explicit Large(const BuildContext& context) {
    for (int i = 0; i < 4; ++i) layers.push_back(register_module(std::to_string(i), nn::Linear(16384, 16384, false)));
    finish(context);
  }
  Tensor decode(const DecodeTask& task) override { return task.visual.x; }
  std::vector<nn::Linear> layers;
};

/// A shard of two of them, all zeros, that takes no room on the disk.
void write_sparse_shard(const std::filesystem::path& file, int first) {
  constexpr std::uint64_t bytes = std::uint64_t{512} << 20;
  const auto entry = [](int name, std::uint64_t begin) {
    return "\"" + std::to_string(name) + R"(.weight":{"dtype":"BF16","shape":[16384,16384],"data_offsets":[)" +
           std::to_string(begin) + "," + std::to_string(begin + bytes) + "]}";
  };
  std::string header = "{" + entry(first, 0) + "," + entry(first + 1, bytes) + "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = header.size();
  std::string head(sizeof length, '\0');
  std::memcpy(head.data(), &length, sizeof length);
  std::ofstream(file, std::ios::binary) << head << header;
  std::filesystem::resize_file(file, sizeof length + length + 2 * bytes);
}

double resident_megabytes() {
  std::ifstream status("/proc/self/statm");
  double total = 0, resident = 0;
  status >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

TEST_F(LoadedModule, TwoGigabytesAreMappedAndNotRead) {
  write_sparse_shard(folder_ / "a.safetensors", 0);
  write_sparse_shard(folder_ / "b.safetensors", 2);
  std::ofstream(folder_ / "model.safetensors.index.json")
      << R"({"weight_map": {"0.weight": "a.safetensors", "1.weight": "a.safetensors", "2.weight": "b.safetensors",)"
      << R"("3.weight": "b.safetensors"}})";
  const double before = resident_megabytes();
  const auto started = std::chrono::steady_clock::now();
  const Large large(context());
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  const double built = resident_megabytes() - before;
  large.layers[1]->weight.slice(0, 0, 1024).sum();  // 32 MiB
  const double touched = resident_megabytes() - before;
  std::printf("built in %.4f s, %.1f MB resident, %.1f MB after 33.6 MB were touched\n", seconds, built, touched);
  EXPECT_LT(seconds, 1);
  EXPECT_LT(built, 20);
  EXPECT_LT(touched, 70);
}

class FakeDecoder final : public ModuleComponent<Decoder> {
 public:
  FakeDecoder(const Parameters&, const BuildContext& context) {
    register_module("linear", nn::Linear(4, 4));
    finish(context);
  }
  Tensor decode(const DecodeTask& task) override { return task.visual.x; }
};
constexpr ComponentDescriptor fake_decoder{
    .kind = Kind::decoder, .name = "fake", .summary = "", .create = &create<FakeDecoder>};

TEST(Untrained, PartsDoNotAnswer) {
  Recipe recipe = fake_recipe();
  put(recipe, "decoder",
      {.kind = Kind::decoder, .name = "fake", .entry = {&fake_decoder, "/fake.so", "1", "hash"}, .parameters = {}});
  const auto missing = [&] {
    return blip3u::Pipeline(recipe, std::make_unique<FakeTokenizer>(), at::kCPU)
        .missing_for(Model::Ability::reconstruct);
  };
  EXPECT_THAT(missing(), ::testing::HasSubstr("the weights of encoder `fake` are random: no stage trains it"));
  recipe.stages = {fake_stage()};
  EXPECT_THAT(missing(), ::testing::HasSubstr("the weights of decoder `fake` are random"));
  recipe.stages.push_back(fake_stage());
  recipe.stages[1].train = {"decoder"};
  EXPECT_EQ(missing(), "");
}

}  // namespace
}  // namespace blip3u::testing
