// The word-level tokenizer: one id for each word as split() finds them.
#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "blip3u/error.h"
#include "blip3u/plugin.h"
#include "blip3u/tokenizer.h"
#include "words/split.h"

namespace {

using blip3u::Error;

constexpr const char* format_name = "blip3u-words";
constexpr int format_version = 3, plain_version = 2;  // 2 knew no case and no scripts beyond ASCII

// 0, 1 and 2 are padding and the frame of a text; words come after the one for all unknown ones and the one that
// announces a picture.
constexpr std::int64_t pad = 0, unknown = 3, announcement = 4, first_free = 5;

class Words final : public blip3u::Tokenizer, public blip3u::LearnsVocabulary {
 public:
  Words(const blip3u::Parameters& parameters, const blip3u::BuildContext&)
      : maximum_words_(parameters.integer("maximum_words")) {}

  void fit(const std::vector<std::string>& texts) override {
    std::map<std::string, std::int64_t> counts;
    for (const auto& text : texts) {
      for (auto& word : blip3u::words::split(text)) ++counts[std::move(word)];
    }
    std::vector<std::pair<std::string, std::int64_t>> ranked(counts.begin(), counts.end());
    // The map has sorted the words by name, and a stable sort keeps that order among equally frequent ones.
    std::ranges::stable_sort(ranked, [](const auto& a, const auto& b) { return a.second > b.second; });
    if (std::cmp_greater(ranked.size(), maximum_words_)) ranked.resize(static_cast<std::size_t>(maximum_words_));
    std::vector<std::string> words;
    words.reserve(ranked.size());
    for (auto& [word, count] : ranked) words.push_back(std::move(word));
    set_words(std::move(words));
  }

  std::string serialize() const override {
    return nlohmann::json{{"format", format_name}, {"version", format_version}, {"words", words_}}.dump(1) + "\n";
  }

  void restore(const std::string& serialized) override {
    const auto damaged = [](const std::string& reason) {
      return Error("tokenizer words: the stored vocabulary is damaged: " + reason +
                   "; train into a new output folder, or copy the file anew from where it came");
    };
    const auto stored = nlohmann::json::parse(serialized, nullptr, /*allow_exceptions=*/false);
    if (!stored.is_object()) throw damaged("it is not a JSON object");
    if (stored.value("format", nlohmann::json()) != format_name) {
      throw damaged(fmt::format("its format is not \"{}\"", format_name));
    }
    const auto version = stored.value("version", nlohmann::json());
    if (version != format_version && version != plain_version) {
      throw damaged(fmt::format("its version is not {}", format_version));
    }
    const auto list = stored.find("words");
    if (list == stored.end() || !list->is_array()) throw damaged("it has no list \"words\"");
    std::vector<std::string> words;
    std::unordered_map<std::string, std::size_t> seen;
    for (const auto& item : *list) {
      if (!item.is_string()) throw damaged(fmt::format("word {} is not a text", words.size()));
      const auto word = item.get<std::string>();
      const auto split = blip3u::words::split(word);
      if (split.size() != 1 || split.front() != word) {
        if (version == plain_version) {
          throw Error(
              fmt::format("tokenizer words: '{}' of the stored vocabulary is no longer one word, since texts are "
                          "normalised; train anew, or use the program that it was made with",
                          word));
        }
        throw damaged(fmt::format("'{}' is not one word", word));
      }
      if (!seen.emplace(word, words.size()).second) throw damaged(fmt::format("'{}' is there twice", word));
      words.push_back(word);
    }
    set_words(std::move(words));
  }

  std::int64_t vocabulary() const override { return first_free + static_cast<std::int64_t>(words_.size()); }

  std::vector<std::int64_t> encode(std::string_view text) const override {
    std::vector<std::int64_t> ids;
    for (const auto& word : blip3u::words::split(text)) {
      const auto found = ids_.find(word);
      ids.push_back(found == ids_.end() ? unknown : found->second);
    }
    return ids;
  }

  std::string decode(const std::vector<std::int64_t>& ids) const override {
    std::string text;
    bool before_without_blank = false;
    for (const auto id : ids) {
      if (id < 0 || id >= vocabulary()) {
        throw Error(blip3u::Fault::plugin,
                    fmt::format("tokenizer words: id {} is outside the vocabulary of {}", id, vocabulary()));
      }
      if (id == pad || id == frame().begin || id == frame().end || id == announcement) continue;
      const std::string& word = id == unknown ? unknown_ : words_[static_cast<std::size_t>(id - first_free)];
      const bool without_blank = blip3u::words::stands_without_blanks(word);
      if (!text.empty() && !(without_blank && before_without_blank)) text += ' ';
      before_without_blank = without_blank;
      text += word;
    }
    return text;
  }

  std::int64_t id_of(std::string_view control) const override { return control == "image" ? announcement : -1; }

 private:
  void set_words(std::vector<std::string> words) {
    words_ = std::move(words);
    ids_.clear();
    for (std::size_t i = 0; i < words_.size(); ++i) ids_[words_[i]] = first_free + static_cast<std::int64_t>(i);
  }

  const std::string unknown_ = "<unknown>";
  std::int64_t maximum_words_;
  std::vector<std::string> words_;
  std::unordered_map<std::string, std::int64_t> ids_;
};

constexpr blip3u::ParameterSpec parameters[] = {
    blip3u::integer("maximum_words", 32768, 1, 1 << 20, "only so many of the most frequent words are kept"),
};
constexpr blip3u::ComponentDescriptor components[] = {
    {.kind = blip3u::Kind::tokenizer,
     .name = "words",
     .summary =
         "One id for each word of the training texts, normalised and in lower case; punctuation only separates words.",
     .parameters = parameters,
     .create = blip3u::create<Words>},
};

}  // namespace

BLIP3U_PLUGIN("words", "0.2.0", "Apache-2.0", components)
