// The easy-vqa 1.0 data set (Victor Zhou, 2019, MIT): 5000 pictures of one coloured shape, with questions and answers.
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "blip3u/dataset.h"
#include "blip3u/error.h"
#include "blip3u/package.h"
#include "blip3u/plugin.h"
#include "blip3u/random.h"
#include "easy_vqa/captions.h"
#include "easy_vqa/tasks.h"
#include "layers/conversations.h"
#include "layers/image_store.h"

namespace {

using blip3u::Error;
using blip3u::Parameters;
using blip3u::Sample;
using blip3u::Split;
using blip3u::Tensor;
using blip3u::layers::Described;
namespace easy_vqa = blip3u::easy_vqa;
namespace fs = std::filesystem;

constexpr const char* wheel_hash = "fcb51b309b78c7b00f97b64cdbcbcf5c105f94da1b39c0796cee5a787c4f650f";

/// What the pinned wheel holds, for noticing that its unzipped copy was altered.
struct Contents {
  const char* folder;
  std::size_t images, captions;
};
constexpr std::array<Contents, 2> contents = {{{"train", 4000, 3578}, {"test", 1000, 888}}};

std::size_t place(Split split) { return split == Split::train ? 0 : 1; }

/// The one caption; empty if it could not be recovered.
std::string caption_of(const Described& described) {
  return described.captions.empty() ? std::string() : described.captions.front();
}

/// The held-out pairs, or what is wrong with them.
struct HeldOut {
  easy_vqa::Pairs pairs;
  std::string problem;
};

HeldOut parse_held_out(const std::vector<std::string>& texts) {
  HeldOut held_out;
  for (const auto& text : texts) {
    const auto pair = easy_vqa::parse_pair(text);
    if (!pair) {
      held_out.problem = fmt::format("'{}' is not a colour ({}) and a shape ({}), as in 'red triangle'", text,
                                     fmt::join(easy_vqa::colours, ", "), fmt::join(easy_vqa::shapes, ", "));
      return held_out;
    }
    if (held_out.pairs[*pair]) {
      held_out.problem = fmt::format("'{}' is there twice", text);
      return held_out;
    }
    held_out.pairs.set(*pair);
  }
  const auto require_seen = [&](const char* word) {
    if ((easy_vqa::pairs_with(word) & ~held_out.pairs).none() && held_out.problem.empty()) {
      held_out.problem =
          fmt::format("every '{}' is held out, so training would never see one; leave one pair in", word);
    }
  };
  for (const char* colour : easy_vqa::colours) require_seen(colour);
  for (const char* shape : easy_vqa::shapes) require_seen(shape);
  return held_out;
}

void check(const Parameters& parameters, blip3u::Wiring& wiring) {
  if (auto held_out = parse_held_out(parameters.texts("held_out")); !held_out.problem.empty()) {
    wiring.reject("held_out", std::move(held_out.problem));
  }
}

class EasyVqa final : public blip3u::Dataset, public blip3u::Indexed, public blip3u::Classes {
 public:
  EasyVqa(const Parameters& parameters, const blip3u::BuildContext& context) {
    auto held_out = parse_held_out(parameters.texts("held_out"));
    if (!held_out.problem.empty()) throw Error(blip3u::Fault::usage, "dataset easy_vqa: held_out: " + held_out.problem);
    held_out_ = held_out.pairs;

    const fs::path path = parameters.text("path");
    const bool fetch = parameters.boolean("fetch");
    if (fetch) blip3u::fetch_package("easy-vqa", "1.0", wheel_hash, path);
    const auto image_size = context.wiring.image_size;
    std::uint64_t hash = blip3u::derive_seed(
        0, fmt::format("easy_vqa {} {} {}", wheel_hash, image_size, fmt::join(parameters.texts("held_out"), ",")));
    for (std::size_t split = 0; split < contents.size(); ++split) {
      const auto folder = path / "easy_vqa" / "data" / contents[split].folder;
      hash = blip3u::derive_seed(hash, read_questions(split, folder / "questions.json"));
      std::vector<fs::path> files;
      for (const auto& example : examples_[split]) files.push_back(folder / "images" / (example.id + ".png"));
      if (!fetch) {  // nobody vouches for the pictures, so at least their sizes count
        for (const auto& file : files) {
          std::error_code missing;
          hash = blip3u::derive_seed(hash, static_cast<std::uint64_t>(fs::file_size(file, missing)));
        }
      }
      images_[split] = blip3u::layers::ImageStore(std::move(files), image_size);
      if (fetch) check_contents(split, folder);
    }
    check_held_out();
    if (parameters.boolean("mirrored")) {
      hash = blip3u::derive_seed(hash, "mirrored");
      add_mirrored();
    }
    fingerprint_ = fmt::format("{:016x}", hash);
    for (std::size_t i = 0; i < examples_[0].size(); ++i) {
      conversations_[0].add(is_made_[i] ? 1 : 0, examples_[0][i].questions.size());
    }
    for (const auto& example : examples_[1]) {
      conversations_[1].add(example.captions.size(), example.questions.size());
    }
  }

  std::vector<std::string> classes() const override {
    std::vector<std::string> captions;
    for (std::size_t pair = 0; pair < easy_vqa::pair_count; ++pair) captions.push_back(easy_vqa::caption_of(pair));
    return captions;
  }

  std::string fingerprint() const override { return fingerprint_; }

  std::vector<blip3u::Chapter> chapters(Split split) const override { return {{"questions.json", samples(split)}}; }

  std::unique_ptr<blip3u::Reader> open(Split split, std::int64_t) const override {
    return blip3u::read_in_order(*this, split);
  }

  std::int64_t samples(Split split) const override { return conversations_[place(split)].size(); }

  /// Training makes no picture of a held-out pair, but may be asked about one. Labels say the picture's id as "image",
  /// its caption as "class" and whether its pair is "held_out", where that is known, and the "kind" of a question:
  /// yes_no, colour or shape.
  Sample sample(Split split, std::int64_t index) const override {
    const auto conversation = conversations_[place(split)].place(index);
    const Described& described = examples_[place(split)][conversation.picture];
    const auto& images = images_[place(split)];
    const auto file = static_cast<std::int64_t>(conversation.picture);
    Tensor image = file < images.size() ? images.bytes(file) : images.bytes(file - images.size()).flip({2});
    Sample sample = blip3u::layers::conversation(described, conversation, std::move(image));
    if (split == Split::train) sample.id = "train " + sample.id;  // both splits count their pictures from 0
    const std::string caption = caption_of(described);
    if (const auto pair = easy_vqa::pair_of_caption(caption)) {
      sample.labels.emplace_back("class", caption);
      sample.labels.emplace_back("held_out", held_out_[*pair] ? "yes" : "no");
    }
    if (!conversation.made) {
      sample.labels.emplace_back("kind", easy_vqa::kind_of_answer(described.questions[conversation.number].answer));
    }
    return sample;
  }

 private:
  /// Fills one split and returns the file's text.
  std::string read_questions(std::size_t split, const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) {
      throw Error(fmt::format(
          "dataset easy_vqa: {} cannot be read; set data.fetch=true, or point data.path at an unzipped easy-vqa 1.0",
          file.string()));
    }
    std::string text{std::istreambuf_iterator<char>(stream), {}};
    const auto damaged = [&](const std::string& reason) {
      return Error(fmt::format("dataset easy_vqa: {}: {}; delete the folder, and it will be fetched anew",
                               file.string(), reason));
    };
    const auto list = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!list.is_array() || list.empty()) throw damaged("it is not a JSON list of questions");
    auto& examples = examples_[split];
    constexpr std::uint64_t most_images = 1'000'000;
    for (const auto& item : list) {
      if (!item.is_array() || item.size() != 3 || !item[0].is_string() || !item[1].is_string() ||
          !item[2].is_number_unsigned() || item[2].get<std::uint64_t>() >= most_images) {
        throw damaged("an entry is not [question, answer, number of the image]");
      }
      const auto image = item[2].get<std::size_t>();
      if (image >= examples.size()) examples.resize(image + 1);
      examples[image].questions.push_back({item[0].get<std::string>(), item[1].get<std::string>()});
    }
    for (std::size_t image = 0; image < examples.size(); ++image) {
      examples[image].id = std::to_string(image);
      std::string caption = easy_vqa::recover_caption(examples[image].questions);
      if (!caption.empty()) examples[image].captions = {std::move(caption)};
    }
    return text;
  }

  void check_contents(std::size_t split, const fs::path& folder) const {
    std::size_t captions = 0;
    for (const auto& example : examples_[split]) captions += example.captions.size();
    if (examples_[split].size() == contents[split].images && captions == contents[split].captions) return;
    throw Error(fmt::format(
        "dataset easy_vqa: {} was altered: it gives {} images with {} captions instead of {} with {}; delete "
        "the folder, and it will be fetched anew",
        folder.string(), examples_[split].size(), captions, contents[split].images, contents[split].captions));
  }

  /// Decides what trains generation by caption, and proves by the questions that no held-out pair is among it.
  void check_held_out() {
    easy_vqa::Pairs trained;
    for (const auto& example : examples_[0]) {
      const auto pair = easy_vqa::pair_of_caption(caption_of(example));
      is_made_.push_back(pair && !held_out_[*pair]);
      if (!is_made_.back()) continue;
      const auto possible = easy_vqa::consistent_pairs(example.questions);
      if (possible.count() != 1 || (possible & held_out_).any()) {
        throw Error(
            fmt::format("dataset easy_vqa: training image {} may show a held-out pair and is not kept out of "
                        "generation training; please report this as a bug",
                        example.id));
      }
      trained |= possible;
    }
    if (trained.none()) throw Error("dataset easy_vqa: no training image is left for generation; hold out fewer pairs");
  }

  /// Each training image a second time, seen in a mirror: no question or caption speaks of left or right.
  void add_mirrored() {
    auto& examples = examples_[0];
    const auto count = examples.size();
    examples.reserve(2 * count);
    for (std::size_t i = 0; i < count; ++i) {
      examples.push_back(examples[i]);
      examples.back().id += " mirrored";
      is_made_.push_back(is_made_[i]);
    }
  }

  easy_vqa::Pairs held_out_;
  std::array<std::vector<Described>, 2> examples_;
  std::vector<bool> is_made_;
  std::array<blip3u::layers::ConversationIndex, 2> conversations_;
  std::array<blip3u::layers::ImageStore, 2> images_;  // at the recipe's size
  std::string fingerprint_;
};

constexpr blip3u::ParameterSpec parameters[] = {
    blip3u::path("path", "data/easy_vqa", "folder that the data set is unzipped to"),
    blip3u::texts("held_out", "red triangle,teal circle,yellow rectangle,black circle",
                  "pairs of colour and shape that generation is never trained on"),
    blip3u::boolean("mirrored", false, "train on the mirror image of every training picture too"),
    blip3u::boolean("fetch", true, "fetch the data set from PyPI (3 MB, checked by its hash) if it is not there"),
};
constexpr blip3u::ComponentDescriptor components[] = {
    {.kind = blip3u::Kind::dataset,
     .name = "easy_vqa",
     .summary = "easy-vqa 1.0: 5000 pictures of one coloured shape, with questions, answers and recovered captions.",
     .parameters = parameters,
     .check = check,
     .create = blip3u::create<EasyVqa>},
    {.kind = blip3u::Kind::task,
     .name = "reconstruction",
     .summary = "Test images through encoder and decoder, judged by colour and shape: the ceiling of generation.",
     .parameters = easy_vqa::reconstruction_table,
     .create = easy_vqa::create_reconstruction},
    {.kind = blip3u::Kind::task,
     .name = "generation",
     .summary = "Images of all pairs, judged by colour and shape, seen and held-out pairs apart.",
     .parameters = easy_vqa::generation_table,
     .create = easy_vqa::create_generation},
};

}  // namespace

BLIP3U_PLUGIN("easy_vqa", "0.1.0", "Apache-2.0", components)
