#include "io/safetensors.h"

#include <ATen/ATen.h>

#include <cstring>

#include "io/files.h"
#include "support.h"

namespace blip3u {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

std::vector<NamedTensor> some_tensors() {
  return {{"encoder.weight", at::arange(6, at::kFloat).view({2, 3})},
          {"encoder.empty", at::zeros({0, 2})},
          {"decoder.mask", at::tensor({1, 0}, at::kLong).to(at::kBool)},
          {"decoder.half", at::tensor({1.5, -2.0}).to(at::kBFloat16)},
          {"step", at::scalar_tensor(std::int64_t{12}, at::kLong)}};
}

/// A file as another program would write it, from a header and data.
std::string file_of(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  std::string result(8, '\0');
  std::memcpy(result.data(), &length, 8);
  return result + header + data;
}

class Safetensors : public testing::Test {
 protected:
  /// What is said of a file of this content; all that is ever said names the file and how to mend it.
  std::string message_for(const std::string& content) {
    const auto file = folder_ / "w.safetensors";
    put(file, content);
    std::string message = message_of([&] { load_safetensors(file); });
    if (!message.empty()) {
      EXPECT_THAT(message, AllOf(StartsWith(file.string() + ": "), HasSubstr("; ")));
    }
    return message;
  }
  TemporaryFolder folder_;
};

TEST_F(Safetensors, RoundTrip) {
  const auto path = folder_ / "weights.safetensors";
  save_safetensors(path, some_tensors(), {{"recipe", "easy \"vqa\"\n"}, {"step", "5"}});
  const WeightFile file = load_safetensors(path);
  EXPECT_EQ(file.metadata, (std::map<std::string, std::string>{{"recipe", "easy \"vqa\"\n"}, {"step", "5"}}));
  ASSERT_EQ(file.tensors.size(), some_tensors().size());
  for (std::size_t i = 0; i < file.tensors.size(); ++i) {
    EXPECT_EQ(file.tensors[i].name, some_tensors()[i].name);
    EXPECT_EQ(file.tensors[i].value.scalar_type(), some_tensors()[i].value.scalar_type());
    EXPECT_TRUE(file.tensors[i].value.equal(some_tensors()[i].value)) << file.tensors[i].name;
  }
  save_safetensors(folder_ / "none.safetensors", {});
  EXPECT_TRUE(load_safetensors(folder_ / "none.safetensors").tensors.empty());
  // A view is written as what it shows.
  save_safetensors(path, {{"t", at::arange(6).view({2, 3}).t()}});
  EXPECT_TRUE(load_safetensors(path).tensors[0].value.equal(at::arange(6).view({2, 3}).t()));
}

TEST_F(Safetensors, ReadsWhatPythonWrote) {  // tests/data/make_safetensors.py
  const WeightFile file = load_safetensors(std::filesystem::path(BLIP3U_TEST_DATA) / "python.safetensors");
  std::map<std::string, Tensor> tensors;
  for (const auto& [name, value] : file.tensors) tensors[name] = value;
  ASSERT_EQ(tensors.size(), 10u);
  EXPECT_TRUE(tensors["a.float"].equal(at::arange(6, at::kFloat).view({2, 3}) / 4));
  EXPECT_TRUE(tensors["b.double"].equal(at::tensor({1.5, -2.25})));
  EXPECT_TRUE(tensors["c.half"].equal(at::tensor({0.5, 65504.0}).to(at::kHalf)));
  EXPECT_TRUE(tensors["d.bfloat"].equal(at::tensor({1.0, -3.0}).view({2, 1}).to(at::kBFloat16)));
  EXPECT_TRUE(tensors["e.long"].equal(at::tensor({std::int64_t{1} << 40, std::int64_t{-1}})));
  EXPECT_TRUE(tensors["f.int"].equal(at::tensor({7, -7}, at::kInt)));
  EXPECT_TRUE(tensors["g.byte"].equal(at::tensor({0, 255, 3}).to(at::kByte)));
  EXPECT_TRUE(tensors["h.bool"].equal(at::tensor({1, 0, 1}, at::kLong).to(at::kBool)));
  EXPECT_EQ(tensors["i.scalar"].dim(), 0);
  EXPECT_EQ(tensors["i.scalar"].item<float>(), 3.5f);
  EXPECT_EQ(tensors["j.empty"].sizes(), at::IntArrayRef({0, 4}));
  EXPECT_EQ(file.metadata.at("made_by"), "python");
}

TEST_F(Safetensors, EveryTruncationIsAnError) {
  save_safetensors(folder_ / "whole", some_tensors());
  const std::string whole = read_text(folder_ / "whole");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    ASSERT_THAT(message_for(whole.substr(0, length)), Not(IsEmpty())) << "cut at " << length;
  }
  EXPECT_THAT(message_for(whole.substr(0, 5)), HasSubstr("truncated"));
  EXPECT_THAT(message_for(whole.substr(0, 60)), HasSubstr("truncated"));
  EXPECT_THAT(message_for(whole.substr(0, whole.size() - 1)), HasSubstr("truncated"));
  EXPECT_NE(message_for(whole + "x"), "");
}

TEST_F(Safetensors, EveryAlteredByteIsAnError) {
  save_safetensors(folder_ / "whole", some_tensors(), {{"recipe", "a"}});
  const std::string whole = read_text(folder_ / "whole");
  for (std::size_t place = 0; place < whole.size(); ++place) {
    for (const int change : {0x01, 0x20}) {
      std::string altered = whole;
      altered[place] = static_cast<char>(altered[place] ^ change);
      ASSERT_THAT(message_for(altered), Not(IsEmpty())) << "byte " << place << " changed by " << change;
    }
  }
  // A space of the padding that becomes another blank is still legal JSON, yet altered.
  const std::size_t padding = whole.find("}} ");
  ASSERT_NE(padding, std::string::npos) << "make the metadata one letter longer";
  std::string altered = whole;
  altered[padding + 2] = '\n';
  EXPECT_THAT(message_for(altered), HasSubstr("checksum"));
}

TEST_F(Safetensors, DamagedStructure) {
  const auto one = [](const std::string& entry) { return "{\"t\":" + entry + "}"; };
  const std::string sound = one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})");
  EXPECT_EQ(message_for(file_of(sound, std::string(8, 'x'))), "");
  EXPECT_THAT(message_for("PK\x03\x04 this is a zip file, not weights"), HasSubstr("not a safetensors file"));
  EXPECT_THAT(message_for(file_of("[1]", "")), HasSubstr("not a JSON object"));
  EXPECT_THAT(message_for(file_of(std::string(100000, '['), "")), HasSubstr("not a JSON object"));
  EXPECT_THAT(message_for(file_of(one("3"), "")), HasSubstr("not a tensor's type"));
  EXPECT_THAT(message_for(file_of(one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,-8]})"), "")),
              HasSubstr("not a tensor's type"));
  EXPECT_THAT(message_for(file_of(one(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})"), "12345678")),
              HasSubstr("ends before it begins"));
  EXPECT_THAT(message_for(file_of(one(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})"), "12345678")),
              HasSubstr("'t' of shape [3] and type F32 needs 12 bytes but has 8"));
  EXPECT_THAT(message_for(file_of(one(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})"), "12345678")),
              HasSubstr("not a list of numbers"));
  EXPECT_THAT(message_for(file_of(one(R"({"dtype":"F4","shape":[16],"data_offsets":[0,8]})"), "12345678")),
              HasSubstr("type F4, which is not supported"));
  EXPECT_THAT(message_for(file_of(one(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]})"), "")),
              HasSubstr("beyond all size"));
  // An extent of 0 does not hide that the others overflow, which LibTorch would report without the file.
  EXPECT_THAT(
      message_for(file_of(one(R"({"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0]})"), "")),
      HasSubstr("beyond all size"));
  EXPECT_THAT(message_for(file_of(one(R"({"dtype":"BOOL","shape":[2],"data_offsets":[0,2]})"), "\1\2")),
              HasSubstr("truth values"));
  EXPECT_THAT(message_for(file_of(sound, "12345678more")), HasSubstr("4 bytes follow the last tensor"));
  EXPECT_THAT(message_for(file_of(one(R"({"dtype":"F32","shape":[1],"data_offsets":[4,8]})"), "12345678")),
              HasSubstr("leaves a gap"));
  const std::string twice = sound.substr(0, sound.size() - 1) + "," + sound.substr(1);
  EXPECT_THAT(message_for(file_of(twice, "12345678")), HasSubstr("two tensors called 't'"));
}

TEST_F(Safetensors, RefusesToSaveNonsense) {
  EXPECT_THAT(message_of([&] { save_safetensors(folder_ / "x", {{"t", Tensor()}}); }), HasSubstr("'t' is undefined"));
  EXPECT_THAT(message_of([&] {
                save_safetensors(folder_ / "x", {{"t", at::ones({1})}, {"t", at::ones({1})}});
              }),
              HasSubstr("two tensors are called 't'"));
  EXPECT_EQ(folder_.entries(), 0u);
}

TEST_F(Safetensors, DiskThatFillsUp) {
  const auto path = folder_ / "weights.safetensors";
  save_safetensors(path, {{"t", at::ones({2})}});
  std::string message;
  {
    const FullDisk disk(4096);
    message = message_of([&] { save_safetensors(path, {{"t", at::ones({10000})}}); });
  }
  EXPECT_THAT(message, HasSubstr("File too large"));
  EXPECT_EQ(load_safetensors(path).tensors[0].value.numel(), 2);
  EXPECT_EQ(folder_.entries(), 1u);
}

TEST_F(Safetensors, NoSpaceLeftLeavesTheOldFile) {
  const auto path = folder_ / "weights.safetensors";
  save_safetensors(path, {{"t", at::ones({2})}});
  expect_no_space_for(path, [&] { save_safetensors(path, {{"t", at::zeros({2})}}); });
}

TEST(CopyWeights, FillsParametersInPlace) {
  const WeightFile file{{{"w", at::ones({2, 3})}}, {}};
  const Tensor parameter = at::zeros({2, 3}).requires_grad_();
  copy_weights(file, {{"w", parameter}}, "f");
  EXPECT_TRUE(parameter.eq(1).all().item<bool>());
  EXPECT_TRUE(parameter.is_leaf());
}

TEST(CopyWeights, OtherArchitecture) {
  const WeightFile file{
      {{"same", at::ones({2})}, {"w", at::ones({128, 64})}, {"old", at::ones({3})}, {"count", at::ones({1})}}, {}};
  const Tensor same = at::zeros({2});
  const std::string message = message_of([&] {
    copy_weights(
        file,
        {{"same", same}, {"w", at::zeros({256, 64})}, {"new", at::zeros({4, 5})}, {"count", at::zeros({1}, at::kLong)}},
        "run/encoder.safetensors");
  });
  EXPECT_THAT(message, AllOf(HasSubstr("run/encoder.safetensors: the checkpoint is from another architecture"),
                             HasSubstr("\n  w: [128,64] in the file, [256,64] in the model"),
                             HasSubstr("\n  new: missing in the file, [4,5] in the model"),
                             HasSubstr("\n  old: [3] in the file, missing in the model"),
                             HasSubstr("\n  count: F32 in the file, Long in the model")));
  EXPECT_TRUE(same.eq(0).all().item<bool>()) << "nothing may be copied from a file that does not fit";

  std::vector<NamedTensor> many;
  many.reserve(40);
  for (int i = 0; i < 40; ++i) many.push_back({std::to_string(i), at::zeros({1})});
  EXPECT_THAT(message_of([&] { copy_weights({}, many, "f"); }), HasSubstr("and 35 more"));
}

}  // namespace
}  // namespace blip3u
