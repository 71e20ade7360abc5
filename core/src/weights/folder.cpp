#include "weights/folder.h"

#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "blip3u/error.h"
#include "io/files.h"
#include "weights/safetensors_view.h"

namespace blip3u {

namespace fs = std::filesystem;

namespace {

constexpr const char* mend = "get it anew from where it came";

class FolderWeights final : public Weights {
 public:
  explicit FolderWeights(const fs::path& folder) : folder_(folder) {
    for (const char* stem : {"model", "diffusion_pytorch_model"}) {
      const fs::path index = folder / fmt::format("{}.safetensors.index.json", stem);
      const fs::path whole = folder / fmt::format("{}.safetensors", stem);
      if (!fs::exists(index) && !fs::exists(whole)) continue;
      if (fs::exists(index)) {
        read_shards(index);
      } else {
        add(whole);
      }
      for (const auto& [name, place] : places_) list_.push_back(place.entry->info);
      return;
    }
    throw Error(
        fmt::format("{}: holds neither model.safetensors nor model.safetensors.index.json; name the folder "
                    "that does, or its `subfolder`",
                    folder.string()));
  }

  std::string folder() const override { return folder_.string(); }
  const std::vector<TensorInfo>& list() const override { return list_; }

  Tensor view(std::string_view name) const override {
    const auto found = places_.find(name);
    if (found == places_.end()) throw Error(fmt::format("{}: has no tensor '{}'", folder_.string(), name));
    return found->second.file->view(*found->second.entry);
  }

  std::string text(std::string_view file) const override { return read_text(folder_ / file); }

 private:
  struct Place {
    const SafetensorsView* file;
    const SafetensorsView::Entry* entry;
  };

  void read_shards(const fs::path& index) {
    const auto json = nlohmann::json::parse(read_text(index), nullptr, /*allow_exceptions=*/false);
    const auto map = json.is_object() ? json.find("weight_map") : json.end();
    if (map == json.end() || !map->is_object()) {
      throw Error(fmt::format("{}: has no map `weight_map` of tensors to files; {}", index.string(), mend));
    }
    std::map<std::string, std::set<std::string>> shards;
    for (const auto& [name, file] : map->items()) {
      // A name alone: an index is not to lead out of its folder.
      if (!file.is_string() || fs::path(file.get<std::string>()).filename() != file.get<std::string>()) {
        throw Error(fmt::format("{}: '{}' is in no file of this folder; {}", index.string(), name, mend));
      }
      shards[file.get<std::string>()].insert(name);
    }
    std::vector<std::string> problems;
    for (auto& [shard, named] : shards) {
      for (const auto& entry : add(index.parent_path() / shard).entries()) {
        if (named.erase(entry.info.name) == 0) {
          problems.push_back(fmt::format("{} holds '{}', which the index does not say", shard, entry.info.name));
        }
      }
      for (const std::string& name : named) problems.push_back(fmt::format("'{}' is missing in {}", name, shard));
    }
    if (!problems.empty()) {
      throw Error(
          fmt::format("{}: does not fit its files; {}:\n  {}", index.string(), mend, fmt::join(problems, "\n  ")));
    }
  }

  const SafetensorsView& add(const fs::path& file) {
    files_.push_back(std::make_unique<SafetensorsView>(file, mend));
    for (const auto& entry : files_.back()->entries()) {
      if (places_.emplace(entry.info.name, Place{files_.back().get(), &entry}).second) continue;
      throw Error(
          fmt::format("{}: holds '{}', as another file of the folder does; {}", file.string(), entry.info.name, mend));
    }
    return *files_.back();
  }

  const fs::path folder_;
  std::vector<std::unique_ptr<const SafetensorsView>> files_;
  std::map<std::string, Place, std::less<>> places_;
  std::vector<TensorInfo> list_;
};

}  // namespace

std::unique_ptr<Weights> open_weights(const fs::path& folder) { return std::make_unique<FolderWeights>(folder); }

}  // namespace blip3u
