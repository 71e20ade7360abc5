// Conversations in files of JSON lines, as chat models are trained on.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "blip3u/chat.h"
#include "blip3u/dataset.h"
#include "blip3u/error.h"
#include "blip3u/plugin.h"
#include "blip3u/random.h"
#include "layers/picture_files.h"

namespace {

using blip3u::Error;
using blip3u::Split;
namespace fs = std::filesystem;

/// Each file is a chapter.
class Chat final : public blip3u::Dataset {
 public:
  Chat(const blip3u::Parameters& parameters, const blip3u::BuildContext&) : folder_(parameters.text("path")) {
    std::vector<fs::path> others;  // to train on if no file says that it is for that
    std::error_code failure;       // not an exception, which would not name the folder
    for (fs::directory_iterator file(folder_, failure), end; !failure && file != end; file.increment(failure)) {
      const std::string name = file->path().filename().string();
      if (!name.ends_with(".jsonl") || file->is_directory()) continue;
      if (name.starts_with("test")) {
        test_.push_back(file->path());
      } else if (name.starts_with("train")) {
        train_.push_back(file->path());
      } else if (!name.starts_with("val")) {
        others.push_back(file->path());
      }
    }
    if (failure) {
      throw Error(fmt::format("dataset chat: {}: {}; point `path` at a folder with .jsonl files", folder_.string(),
                              failure.message()));
    }
    if (train_.empty()) train_ = std::move(others);
    if (train_.empty()) {
      throw Error(
          fmt::format("dataset chat: {} holds no .jsonl file to train on; add one whose name begins with `train`",
                      folder_.string()));
    }
    std::ranges::sort(train_);
    std::ranges::sort(test_);
  }

  std::vector<blip3u::Chapter> chapters(Split split) const override {
    std::vector<blip3u::Chapter> chapters;
    for (const fs::path& file : files(split)) chapters.push_back({.name = file.filename().string()});
    return chapters;
  }

  std::unique_ptr<blip3u::Reader> open(Split split, std::int64_t index) const override {
    return std::make_unique<blip3u::ChatReader>(files(split).at(static_cast<std::size_t>(index)));
  }

  std::string fingerprint() const override {
    const auto described = [&](const fs::path& file) {
      return file.lexically_relative(folder_).string() + " " + blip3u::layers::state_of(file);
    };
    std::vector<std::string> pictures;
    std::error_code failure;
    constexpr auto options = fs::directory_options::follow_directory_symlink |
                             fs::directory_options::skip_permission_denied;  // no picture in there can be read
    for (fs::recursive_directory_iterator file(folder_, options, failure), end; file != end; file.increment(failure)) {
      if (blip3u::layers::is_picture_file(file->path())) pictures.push_back(described(file->path()));
    }
    if (failure) {
      throw Error(fmt::format("dataset chat: {}: {}; check the disk, and that it is readable", folder_.string(),
                              failure.message()));
    }
    std::ranges::sort(pictures);
    std::uint64_t hash = blip3u::derive_seed(0, "chat");
    for (const std::string& picture : pictures) hash = blip3u::derive_seed(hash, picture);
    for (const auto* files : {&train_, &test_}) {
      hash = blip3u::derive_seed(hash, "split");
      for (const fs::path& file : *files) hash = blip3u::derive_seed(hash, described(file));
    }
    return fmt::format("{:016x}", hash);
  }

 private:
  const std::vector<fs::path>& files(Split split) const { return split == Split::train ? train_ : test_; }

  fs::path folder_;
  std::vector<fs::path> train_, test_;
};

constexpr blip3u::ParameterSpec parameters[] = {
    blip3u::required(blip3u::path("path", "",
                                  "folder with .jsonl files: train*.jsonl or, if there is none, all but test* and val* "
                                  "are trained on; test*.jsonl is kept for testing")),
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
