// What the end-to-end tests share: the program in a folder with data, on a model so small that it learns nothing. What
// is tested is that runs are complete, repeatable, resumable and sufficient for inference.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <ATen/ops/full.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "blip3u/image.h"
#include "cli/support.h"
#include "io/files.h"
#include "io/hash.h"
#include "io/support.h"
#include "tiny_parts.h"

namespace blip3u::testing {

inline const std::string recipe = R"(name: tiny
seed: 3
device: cpu
data: {plugin: image_folder, path: pictures, image_size: 32}
tokenizer: words
pipeline:)" + std::string(tiny_parts) +
                                  R"(  sampler: {plugin: flow_matching, steps: 3}
training:
  - {name: encoder, objective: encoder, train: [encoder], steps: 6, batch: 4, checkpoint_every: 2}
  - {name: decoder, objective: decoder, train: [decoder], steps: 6, batch: 4, checkpoint_every: 2}
  - {name: backbone, objective: conversation, image_weight: 0, train: [backbone], steps: 6, batch: 4, checkpoint_every: 2}
  - {name: denoiser, objective: conversation, text_weight: 0, train: [denoiser], steps: 6, batch: 4, checkpoint_every: 2, average_decay: 0.9}
evaluation: [tasks/vqa]
)";

class EndToEnd : public ::testing::Test {
 protected:
  EndToEnd() : folder_("blip3u-end-to-end") {
    setenv("OMP_NUM_THREADS", "1", 1);  // so small a model only waits for a second thread
    std::string captions;
    for (int i = 0; i < 20; ++i) {
      const std::string name = fmt::format("{}.png", i);
      write_png(file("pictures/" + name), at::full({3, 32, 32}, (i % 2) * 2.0 - 1.0));
      const std::string colour = i % 2 ? "white" : "black";
      captions += nlohmann::json{{"file", name},
                                 {"split", i < 14 ? "train" : "test"},
                                 {"caption", "a " + colour + " square"},
                                 {"questions", {{{"question", "what color is it?"}, {"answer", colour}}}}}
                      .dump() +
                  "\n";
    }
    folder_.write("pictures/captions.jsonl", captions);
    folder_.write("tiny.yaml", recipe);
  }

  std::filesystem::path file(const std::string& name) const { return folder_.path() / name; }

  Outcome blip3u(const std::vector<std::string>& arguments, const std::vector<std::string>& environment = {}) const {
    return call(arguments, folder_.path(), environment);
  }
  /// A picture of the latest run, as x.png.
  Outcome generate() const { return blip3u({"generate", "--prompt", "a white square", "--output_path", "x.png"}); }

  /// The one run directory of a recipe in an output folder.
  std::filesystem::path run_directory(const std::string& output = "runs", const std::string& name = "tiny") const {
    for (const auto& entry : std::filesystem::directory_iterator(file(output))) {
      if (entry.path().filename().string().starts_with(name + "-")) return entry.path();
    }
    return {};
  }

  /// What the manifest says of the run; nothing before there is one.
  std::string status() const {
    const std::filesystem::path manifest = run_directory() / "manifest.json";
    if (!std::filesystem::exists(manifest)) return {};
    return nlohmann::json::parse(read_text(manifest)).at("status").get<std::string>();
  }

  /// All that a run computed, as the hashes of its files. Nothing in them may differ between two runs of one recipe.
  static std::map<std::string, std::string> results(const std::filesystem::path& run) {
    std::map<std::string, std::string> hashes;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(run)) {
      const std::string name = entry.path().lexically_relative(run).string();
      const bool result = name == "metrics.json" || name == "texts.json" || name.starts_with("checkpoints/") ||
                          name.starts_with("items/") || (name.starts_with("losses/") && name.ends_with(".h5"));
      if (result) hashes[name] = sha256_file(entry.path());
    }
    EXPECT_EQ(hashes.size(), 4U + 4U + 4U) << "checkpoints and losses of four stages, items, influences, scores, texts";
    return hashes;
  }

  void expect_nothing_half_written() const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
      EXPECT_THAT(entry.path().filename().string(), ::testing::Not(::testing::HasSubstr(".partial-")));
    }
  }

  const TemporaryFolder folder_;
};

}  // namespace blip3u::testing
