// Pictures in a folder, with what describes them as people have it (docs/data.md).
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "blip3u/dataset.h"
#include "blip3u/error.h"
#include "blip3u/host.h"
#include "blip3u/plugin.h"
#include "blip3u/random.h"
#include "image_folder/entries.h"
#include "layers/conversations.h"
#include "layers/image_store.h"
#include "layers/picture_files.h"

namespace {

using blip3u::Error;
using blip3u::Split;
using blip3u::Tensor;
using blip3u::image_folder::Contents;
using blip3u::image_folder::Entry;
using blip3u::image_folder::Share;
using blip3u::image_folder::Wishes;
namespace fs = std::filesystem;

constexpr std::size_t shares = 3;

/// Training, validation, test: the place of a share among the counts.
std::size_t place(Share share) { return static_cast<std::size_t>(share) - 1; }

Wishes wishes_of(const blip3u::Parameters& parameters) {
  return {.classes = parameters.texts("classes"),
          .caption = parameters.text("caption"),
          .question = parameters.text("question"),
          .describe = parameters.text("describe")};
}

void check(const blip3u::Parameters& parameters, blip3u::Wiring& wiring) {
  if (parameters.text("caption").find("{class}") == std::string::npos) {
    wiring.reject("caption", "it does not contain {class}, where the name of the class belongs");
  }
  if (parameters.number("test_share") + parameters.number("validation_share") > 0.9) {
    wiring.reject("validation_share", "with test_share it leaves less than a tenth for training");
  }
}

/// By the hash of the name, so that a picture stays on its side when others come or go.
Share share_of(const std::string& name, double test_share, double validation_share) {
  constexpr double range = 18446744073709551616.0;  // 2^64
  const double at = static_cast<double>(blip3u::derive_seed(0, name)) / range;
  if (at < test_share) return Share::test;
  return at < test_share + validation_share ? Share::validation : Share::train;
}

class ImageFolder final : public blip3u::Dataset, public blip3u::Indexed, public blip3u::Classes {
 public:
  ImageFolder(const blip3u::Parameters& parameters, const blip3u::BuildContext& context)
      : folder_(parameters.text("path")) {
    if (!fs::is_directory(folder_)) {
      throw Error(fmt::format("dataset image_folder: there is no folder {}; point data.path at a folder with pictures",
                              folder_.string()));
    }
    const Wishes wishes = wishes_of(parameters);
    blip3u::image_folder::Tally aside;
    Contents contents = read_contents(folder_, wishes, aside);
    if (contents.entries.empty()) {
      aside.tell(teller(context, "left aside: "));
      throw Error(
          fmt::format("dataset image_folder: {} holds no .png, .jpg, .jpeg or .webp picture; point data.path at "
                      "a folder that does",
                      folder_.string()));
    }
    for (const std::string& name : contents.classes) classes_.push_back(caption_of(wishes, name));
    for (Entry& entry : contents.entries) {
      if (entry.share == Share::unknown) {
        entry.share =
            share_of(entry.described.id, parameters.number("test_share"), parameters.number("validation_share"));
      }
    }
    divide(contents, parameters.text("evaluated_on") == "validation" ? Share::validation : Share::test, wishes,
           context.wiring.image_size);
    tell(contents, aside, context);
  }

  std::string fingerprint() const override { return fingerprint_; }

  std::vector<std::string> classes() const override { return classes_; }

  std::vector<blip3u::Chapter> chapters(Split split) const override {
    const std::int64_t count = samples(split);
    return count == 0 ? std::vector<blip3u::Chapter>{} : std::vector<blip3u::Chapter>{{"folder", count}};
  }

  std::unique_ptr<blip3u::Reader> open(Split split, std::int64_t) const override {
    return blip3u::read_in_order(*this, split);
  }

  std::int64_t samples(Split split) const override { return part(split).conversations.size(); }

  /// Labels say the picture's id as "image" and its class, where it is known, as "class".
  blip3u::Sample sample(Split split, std::int64_t index) const override {
    const Part& of = part(split);
    const auto conversation = of.conversations.place(index);
    Tensor image = of.images.bytes(static_cast<std::int64_t>(conversation.picture));
    auto sample = blip3u::layers::conversation(of.pictures[conversation.picture], conversation, std::move(image));
    const std::string& label = of.labels[conversation.picture];
    if (!label.empty()) sample.labels.emplace_back("class", label);
    return sample;
  }

 private:
  /// The pictures of a split.
  struct Part {
    std::vector<blip3u::layers::Described> pictures;
    std::vector<std::string> labels;  // captions of their classes
    blip3u::layers::ConversationIndex conversations;
    blip3u::layers::ImageStore images;  // at the recipe's size
  };

  const Part& part(Split split) const { return parts_[split == Split::train ? 0 : 1]; }

  using Note = std::function<void(const std::string&)>;
  static Note teller(const blip3u::BuildContext& context, const std::string& before) {
    return [&context, before](const std::string& line) {
      if (context.host != nullptr) context.host->note(before + line);
    };
  }

  /// Fills both splits, and hashes all that decides them.
  void divide(Contents& contents, Share evaluated, const Wishes& wishes, std::int64_t image_size) {
    std::array<std::vector<fs::path>, 2> files;
    std::uint64_t hash = blip3u::derive_seed(0, static_cast<std::uint64_t>(image_size));
    const auto add = [&](const std::string& text) { hash = blip3u::derive_seed(hash, text + "\n"); };
    for (const std::string& name : classes_) add(name);
    for (Entry& entry : contents.entries) {
      ++counts_[place(entry.share)];
      if (entry.share != Share::train && entry.share != evaluated) continue;
      const std::size_t side = entry.share == Share::train ? 0 : 1;
      auto& [id, captions, questions] = entry.described;
      files[side].push_back(folder_ / id);
      add(fmt::format("{}\n{}\n{}", side, id, entry.label));
      for (const std::string& caption : captions) add("caption " + caption);
      for (const auto& [question, answer] : questions) add(fmt::format("question {}\n{}", question, answer));
      add(blip3u::layers::state_of(files[side].back()));
      Part& part = parts_[side];
      part.conversations.add(captions.size(), questions.size());
      part.labels.push_back(entry.label.empty() ? "" : caption_of(wishes, entry.label));
      captions_ += captions.size();
      questions_ += questions.size();
      part.pictures.push_back(std::move(entry.described));
    }
    if (parts_[0].pictures.empty()) {
      throw Error(
          fmt::format("dataset image_folder: {} leaves no picture for training; lower data.test_share or add "
                      "pictures",
                      folder_.string()));
    }
    for (std::size_t side = 0; side < files.size(); ++side) {
      parts_[side].images = blip3u::layers::ImageStore(std::move(files[side]), image_size);
    }
    fingerprint_ = fmt::format("{:016x}", hash);
  }

  void tell(const Contents& contents, const blip3u::image_folder::Tally& aside,
            const blip3u::BuildContext& context) const {
    const Note note = teller(context, "");
    note(fmt::format("{}: {} pictures, {} to train on, {} for validation, {} for testing", folder_.string(),
                     contents.entries.size(), counts_[0], counts_[1], counts_[2]));
    note(fmt::format("{} captions, {} questions, {} classes, from {}", captions_, questions_, classes_.size(),
                     contents.sources.empty() ? "nothing: pictures alone teach no words"
                                              : fmt::format("{}", fmt::join(contents.sources, ", "))));
    aside.tell(teller(context, "left aside: "));
  }

  fs::path folder_;
  std::array<Part, 2> parts_;  // what is trained on, and what is evaluated
  std::vector<std::string> classes_;
  std::array<std::size_t, shares> counts_ = {};
  std::size_t captions_ = 0, questions_ = 0;
  std::string fingerprint_;
};

constexpr const char* evaluated_on[] = {"test", "validation"};
constexpr blip3u::ParameterSpec parameters[] = {
    blip3u::required(
        blip3u::path("path", "", "folder with .png, .jpg, .jpeg or .webp pictures and what describes them")),
    blip3u::number("test_share", 0.1, 0.0, 0.9, "share of the pictures, chosen by name, that is kept for testing"),
    blip3u::number("validation_share", 0.0, 0.0, 0.9, "share that is kept for choosing between recipes"),
    blip3u::text("evaluated_on", "test", "which of the pictures that are kept the tasks ask about", evaluated_on),
    blip3u::texts("classes", "", "names of the classes; none: those that lines, or else folders, name"),
    blip3u::text("caption", "{class}", "the caption of a class, and so of its pictures that have none of their own"),
    blip3u::text("question", "",
                 "what is asked of each picture whose class is known, which is the answer; empty: nothing"),
    blip3u::text("describe", "",
                 "what is asked of each picture that has a caption, which is the answer; empty: nothing"),
};
constexpr blip3u::ComponentDescriptor components[] = {
    {.kind = blip3u::Kind::dataset,
     .name = "image_folder",
     .summary = "Pictures in a folder: one folder a class, text files beside them, lists of captions, COCO, LLaVA.",
     .parameters = parameters,
     .check = check,
     .create = blip3u::create<ImageFolder>},
};

}  // namespace

BLIP3U_PLUGIN("image_folder", "0.2.0", "Apache-2.0", components)
