// Conversations in files of JSON lines, as chat models are trained on.
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "blip3u/chat.h"
#include "blip3u/dataset.h"
#include "blip3u/error.h"
#include "blip3u/plugin.h"
#include "blip3u/random.h"

namespace {

using blip3u::Error;
using blip3u::Split;
namespace fs = std::filesystem;

/// Each file is a chapter.
class Chat final : public blip3u::Dataset {
 public:
  Chat(const blip3u::Parameters& parameters, const blip3u::BuildContext&) {
    const fs::path folder = parameters.text("path");
    std::error_code failure;  // not an exception, which would not name the folder
    for (fs::directory_iterator file(folder, failure), end; !failure && file != end; file.increment(failure)) {
      const std::string name = file->path().filename().string();
      if (!name.ends_with(".jsonl") || file->is_directory()) continue;
      files_[name.starts_with("test") ? 1 : 0].push_back(file->path());
    }
    if (failure) {
      throw Error(fmt::format("dataset chat: {}: {}; point `path` at a folder with .jsonl files", folder.string(),
                              failure.message()));
    }
    if (files_[0].empty()) {
      throw Error(
          fmt::format("dataset chat: {} holds no .jsonl file to train on; add one whose name does not begin "
                      "with `test`",
                      folder.string()));
    }
    std::uint64_t hash = blip3u::derive_seed(0, "chat");
    for (auto& files : files_) {
      std::ranges::sort(files);
      for (const fs::path& file : files) {
        const auto size = fs::file_size(file, failure);
        const auto written = fs::last_write_time(file, failure).time_since_epoch().count();
        hash = blip3u::derive_seed(hash, fmt::format("{} {} {}", file.filename().string(), size, written));
      }
      hash = blip3u::derive_seed(hash, "split");
    }
    fingerprint_ = fmt::format("{:016x}", hash);
  }

  std::vector<blip3u::Chapter> chapters(Split split) const override {
    std::vector<blip3u::Chapter> chapters;
    for (const fs::path& file : files(split)) chapters.push_back({.name = file.filename().string()});
    return chapters;
  }

  std::unique_ptr<blip3u::Reader> open(Split split, std::int64_t index) const override {
    return std::make_unique<blip3u::ChatReader>(files(split).at(static_cast<std::size_t>(index)));
  }

  std::string fingerprint() const override { return fingerprint_; }

 private:
  const std::vector<fs::path>& files(Split split) const { return files_[split == Split::train ? 0 : 1]; }

  std::array<std::vector<fs::path>, 2> files_;
  std::string fingerprint_;
};

constexpr blip3u::ParameterSpec parameters[] = {
    blip3u::required(blip3u::path("path", "",
                                  "folder with .jsonl files; those whose names begin with `test` are kept "
                                  "for testing")),
};
constexpr blip3u::ComponentDescriptor components[] = {
    {.kind = blip3u::Kind::dataset,
     .name = "chat",
     .summary = "Conversations with pictures in files of JSON lines, read from the front.",
     .parameters = parameters,
     .create = blip3u::create<Chat>},
};

}  // namespace

BLIP3U_PLUGIN("chat", "0.1.0", "Apache-2.0", components)
