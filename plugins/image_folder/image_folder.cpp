// Pictures in a folder, with captions (and questions) in captions.jsonl, or each in a .txt file beside its picture.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "blip3u/dataset.h"
#include "blip3u/error.h"
#include "blip3u/plugin.h"
#include "blip3u/random.h"
#include "layers/conversations.h"
#include "layers/image_store.h"
#include "layers/picture_files.h"

namespace {

using blip3u::Error;
using blip3u::Split;
using blip3u::Tensor;
using blip3u::layers::Described;
using blip3u::layers::is_picture_file;
using nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* list_name = "captions.jsonl";

template <class... Arguments>
Error error(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  return Error("dataset image_folder: " + fmt::format(format, std::forward<Arguments>(arguments)...));
}

std::string read_file(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(stream), {}};
  if (!stream) throw error("{} cannot be read; check that the file exists and may be read", file.string());
  return content;
}

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

/// A picture and what is said of it. Its id is the file's name within the folder.
struct Entry {
  Described described;
  std::optional<Split> split;
};

/// One line of captions.jsonl; `where` is its file and line.
Entry parse_line(const std::string& line, const fs::path& folder, const std::string& where) {
  const auto item = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!item.is_object()) {
    throw error("{}: this line is not a JSON object; write {{\"file\": \"a.png\", \"caption\": \"...\"}}", where);
  }
  const auto text = [&](const json& object, const char* key, bool required) -> std::string {
    const auto found = object.find(key);
    if (found == object.end() && !required) return {};
    if (found == object.end() || !found->is_string()) {
      throw error("{}: \"{}\" must be a text; write it in quotes", where, key);
    }
    return trimmed(found->get<std::string>());
  };
  Entry entry;
  entry.described.id = text(item, "file", true);
  entry.described.caption = text(item, "caption", false);
  const fs::path file = fs::path(entry.described.id).lexically_normal();
  if (file.empty() || file.is_absolute() || *file.begin() == "..") {
    throw error("{}: \"file\" is '{}', which is not inside the folder; move the picture there", where,
                entry.described.id);
  }
  if (!is_picture_file(file)) {
    throw error("{}: '{}' is not a .png, .jpg or .jpeg; convert it, or remove the line", where, entry.described.id);
  }
  if (!fs::is_regular_file(folder / file)) {
    throw error("{}: there is no picture '{}'; add it or remove the line", where, (folder / file).string());
  }
  entry.described.id = file.string();
  if (const auto questions = item.find("questions"); questions != item.end()) {
    if (!questions->is_array())
      throw error("{}: \"questions\" is not a list; write [{{\"question\": \"...\", \"answer\": \"...\"}}]", where);
    for (const auto& question : *questions) {
      if (!question.is_object()) {
        throw error("{}: one of \"questions\" is not an object; write {{\"question\": \"...\", \"answer\": \"...\"}}",
                    where);
      }
      entry.described.questions.push_back({text(question, "question", true), text(question, "answer", true)});
    }
  }
  if (item.contains("split")) {
    const auto split = text(item, "split", true);
    if (split != "train" && split != "test") {
      throw error("{}: \"split\" is '{}'; write train or test", where, split);
    }
    entry.split = split == "train" ? Split::train : Split::test;
  }
  if (entry.described.caption.empty() && entry.described.questions.empty()) {
    throw error("{}: '{}' has neither a caption nor questions; add one, or remove the line", where, entry.described.id);
  }
  return entry;
}

std::vector<Entry> read_list(const fs::path& folder) {
  const auto list = folder / list_name;
  std::ifstream stream(list);
  if (!stream) throw error("{} cannot be read; make it readable", list.string());
  std::vector<Entry> entries;
  std::map<std::string, std::size_t, std::less<>> lines;
  std::string line;
  for (std::size_t number = 1; std::getline(stream, line); ++number) {
    if (trimmed(line).empty()) continue;
    const auto where = fmt::format("{}:{}", list.string(), number);
    entries.push_back(parse_line(line, folder, where));
    const auto& name = entries.back().described.id;
    if (const auto [earlier, fresh] = lines.emplace(name, number); !fresh) {
      throw error("{}: '{}' is in line {} already; keep one of the two", where, name, earlier->second);
    }
  }
  return entries;
}

std::vector<Entry> read_text_files(const fs::path& folder) {
  std::vector<fs::path> pictures;
  std::set<fs::path> texts;
  std::error_code failure;  // not an exception, which would not name the folder
  for (fs::recursive_directory_iterator file(folder, failure), end; file != end; file.increment(failure)) {
    if (!file->is_regular_file()) continue;
    if (is_picture_file(file->path())) pictures.push_back(file->path());
    if (file->path().extension() == ".txt") texts.insert(file->path());
  }
  if (failure) {
    throw error("{}: {}; make it and the folders in it readable", folder.string(), failure.message());
  }
  std::ranges::sort(pictures);
  std::set<fs::path> used;
  std::vector<Entry> entries;
  for (const auto& picture : pictures) {
    Entry entry;
    entry.described.id = picture.lexically_relative(folder).string();
    const auto text = fs::path(picture).replace_extension(".txt");
    if (texts.contains(text)) {
      if (!used.insert(text).second) {
        throw error("{} stands beside two pictures of that name; rename one", text.string());
      }
      entry.described.caption = trimmed(read_file(text));
    }
    entries.push_back(std::move(entry));
  }
  for (const auto& text : texts) {
    if (!used.contains(text)) throw error("{} is a caption without a picture beside it; add or remove", text.string());
  }
  return entries;
}

class ImageFolder final : public blip3u::Dataset, public blip3u::Indexed {
 public:
  ImageFolder(const blip3u::Parameters& parameters, const blip3u::BuildContext& context) {
    const fs::path folder = parameters.text("path");
    if (!fs::is_directory(folder)) {
      throw error("there is no folder {}; point data.path at a folder with pictures", folder.string());
    }
    auto entries = fs::exists(folder / list_name) ? read_list(folder) : read_text_files(folder);
    if (entries.empty())
      throw error("{} holds no .png, .jpg or .jpeg picture; point data.path at a folder that does", folder.string());

    const double test_share = parameters.number("test_share");
    std::array<std::vector<fs::path>, 2> files;
    std::uint64_t hash = blip3u::derive_seed(0, static_cast<std::uint64_t>(context.wiring.image_size));
    for (auto& [described, split] : entries) {
      const auto part = place(split ? *split : split_of(described.id, test_share));
      files[part].push_back(folder / described.id);
      hash = blip3u::derive_seed(hash, fmt::format("{}\n{}\n{}\n", part, described.id, described.caption));
      for (const auto& [question, answer] : described.questions) {
        hash = blip3u::derive_seed(hash, fmt::format("{}\n{}", question, answer));
      }
      hash = blip3u::derive_seed(hash, blip3u::layers::state_of(files[part].back()));
      conversations_[part].add(!described.caption.empty(), described.questions.size());
      pictures_[part].push_back(std::move(described));
    }
    if (pictures_[0].empty()) {
      throw error("{} leaves no picture for training; lower data.test_share or add pictures", folder.string());
    }
    for (std::size_t part = 0; part < files.size(); ++part) {
      images_[part] = blip3u::layers::ImageStore(std::move(files[part]), context.wiring.image_size);
    }
    fingerprint_ = fmt::format("{:016x}", hash);
  }

  std::string fingerprint() const override { return fingerprint_; }

  std::vector<blip3u::Chapter> chapters(Split split) const override {
    const std::int64_t count = samples(split);
    return count == 0 ? std::vector<blip3u::Chapter>{} : std::vector<blip3u::Chapter>{{"folder", count}};
  }

  std::unique_ptr<blip3u::Reader> open(Split split, std::int64_t) const override {
    return blip3u::read_in_order(*this, split);
  }

  std::int64_t samples(Split split) const override { return conversations_[place(split)].size(); }

  blip3u::Sample sample(Split split, std::int64_t index) const override {
    const auto [picture, number] = conversations_[place(split)].place(index);
    Tensor image = images_[place(split)].bytes(static_cast<std::int64_t>(picture));
    return blip3u::layers::conversation(pictures_[place(split)][picture], number, std::move(image));
  }

 private:
  static std::size_t place(Split split) { return split == Split::train ? 0 : 1; }

  /// By the hash of the name, so that a picture stays on its side when others come or go.
  static Split split_of(const std::string& name, double test_share) {
    constexpr double range = 18446744073709551616.0;  // 2^64
    return static_cast<double>(blip3u::derive_seed(0, name)) / range < test_share ? Split::test : Split::train;
  }

  std::array<std::vector<Described>, 2> pictures_;
  std::array<blip3u::layers::ConversationIndex, 2> conversations_;
  std::array<blip3u::layers::ImageStore, 2> images_;  // at the recipe's size
  std::string fingerprint_;
};

constexpr blip3u::ParameterSpec parameters[] = {
    blip3u::required(blip3u::path("path", "", "folder with .png, .jpg or .jpeg pictures and their captions")),
    blip3u::number("test_share", 0.1, 0.0, 0.9, "share of the pictures, chosen by name, that is kept for testing"),
};
constexpr blip3u::ComponentDescriptor components[] = {
    {.kind = blip3u::Kind::dataset,
     .name = "image_folder",
     .summary = "Pictures in a folder, captioned by captions.jsonl or by a .txt file beside each.",
     .parameters = parameters,
     .create = blip3u::create<ImageFolder>},
};

}  // namespace

BLIP3U_PLUGIN("image_folder", "0.1.0", "Apache-2.0", components)
