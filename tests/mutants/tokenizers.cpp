// Tokenizers that are wrong in one way each, and a `sound` one, from which they differ.
#include <algorithm>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "blip3u/plugin.h"
#include "blip3u/tokenizer.h"

namespace blip3u::mutants {
namespace {

constexpr std::int64_t unknown = 3, first_free = 4;  // 0, 1 and 2 are padding and the frame

/// One id for each run of anything but white space.
class Sound : public Tokenizer, public LearnsVocabulary {
 public:
  Sound(const Parameters&, const BuildContext&) {}

  void fit(const std::vector<std::string>& texts) override {
    words_.clear();
    for (const std::string& text : texts) {
      for (std::string& word : split(text)) words_.push_back(std::move(word));
    }
    std::ranges::sort(words_);
    words_.erase(std::unique(words_.begin(), words_.end()), words_.end());
  }

  std::string serialize() const override { return fmt::format("words {} {}", words_.size(), fmt::join(words_, " ")); }

  void restore(const std::string& serialized) override {
    std::vector<std::string> words = split(serialized);
    if (words.size() < 2 || words[0] != "words" || words[1] != std::to_string(words.size() - 2)) {
      refuse("tokenizer: the stored vocabulary is damaged; train into a new output folder");
    }
    words_.assign(words.begin() + 2, words.end());
  }

  std::int64_t vocabulary() const override { return first_free + static_cast<std::int64_t>(words_.size()); }

  std::vector<std::int64_t> encode(std::string_view text) const override {
    std::vector<std::int64_t> ids;
    for (const std::string& word : split(text)) {
      const auto found = std::ranges::lower_bound(words_, word);
      ids.push_back(found != words_.end() && *found == word ? first_free + (found - words_.begin()) : unknown);
    }
    return ids;
  }

  std::string decode(const std::vector<std::int64_t>& ids) const override {
    std::vector<std::string> words;
    for (const std::int64_t id : ids) {
      if (id < 0 || id >= first_free + static_cast<std::int64_t>(words_.size())) {
        refuse(fmt::format("tokenizer: there is no word {}; ask for less than {}", id, vocabulary()));
      }
      if (id >= unknown) words.push_back(id == unknown ? "?" : words_[static_cast<std::size_t>(id - first_free)]);
    }
    return fmt::format("{}", fmt::join(words, " "));
  }

 protected:
  [[noreturn]] virtual void refuse(const std::string& message) const { throw Error(message); }

  std::vector<std::string> words_;

 private:
  static std::vector<std::string> split(std::string_view text) {
    std::istringstream stream{std::string(text)};
    return {std::istream_iterator<std::string>(stream), {}};
  }
};

/// Does not count its last word.
class ShortVocabulary : public Sound {
  using Sound::Sound;
  std::int64_t vocabulary() const override { return Sound::vocabulary() - 1; }
};

class RestoreLosesWord : public Sound {
  using Sound::Sound;
  void restore(const std::string& serialized) override {
    Sound::restore(serialized);
    if (!words_.empty()) words_.pop_back();
  }
};

class RestoresAnything : public Sound {
  using Sound::Sound;
  void restore(const std::string& serialized) override {
    try {
      Sound::restore(serialized);
    } catch (const Error&) {
      words_.clear();
    }
  }
};

class ForeignError : public Sound {
  using Sound::Sound;
  [[noreturn]] void refuse(const std::string& message) const override { throw std::invalid_argument(message); }
};

class RefusesLate : public Sound {
 public:
  RefusesLate(const Parameters& parameters, const BuildContext& context) : Sound(parameters, context) {
    if (parameters.integer("words") == 1) throw Error(Fault::usage, "tokenizer: one word is too few; allow more");
  }
};
constexpr ParameterSpec limited[] = {integer("words", 4, 1, 8, "how many words there may be")};

class ThrowsNumber : public Sound {
 public:
  ThrowsNumber(const Parameters& parameters, const BuildContext& context) : Sound(parameters, context) { throw 7; }
};

void check_tokenizer(const Parameters&, Wiring&) {}

void throwing_check(const Parameters&, Wiring&) { throw std::logic_error("not yet written"); }

/// Accepts and rejects the same parameters in turn.
void moody_check(const Parameters&, Wiring& wiring) {
  static int calls = 0;
  if (++calls % 2 == 0) wiring.reject("", "not now; ask again");
}

template <class T>
constexpr ComponentDescriptor tokenizer(const char* name, const char* summary,
                                        decltype(ComponentDescriptor::check) check = check_tokenizer) {
  return {.kind = Kind::tokenizer, .name = name, .summary = summary, .check = check, .create = create<T>};
}

constexpr ComponentDescriptor components[] = {
    tokenizer<Sound>("sound", "Nothing is wrong with it."),
    tokenizer<ShortVocabulary>("short_vocabulary", "Its last id lies outside its vocabulary."),
    tokenizer<RestoreLosesWord>("restore_loses_word", "Restores all words but one."),
    tokenizer<ForeignError>("foreign_error", "Throws std::invalid_argument for a damaged vocabulary."),
    tokenizer<ThrowsNumber>("throws_number", "Its factory throws an int."),
    {.kind = Kind::tokenizer,
     .name = "refuses_late",
     .summary = "Its factory refuses what its range and its check let pass.",
     .parameters = limited,
     .create = create<RefusesLate>},
    tokenizer<RestoresAnything>("restores_anything", "Takes a damaged vocabulary for an empty one."),
    tokenizer<Sound>("throwing_check", "Its check throws.", throwing_check),
    tokenizer<Sound>("moody_check", "Its check says yes and no in turn.", moody_check),
};

}  // namespace
}  // namespace blip3u::mutants

BLIP3U_PLUGIN("mutant_tokenizers", "0.1.0", "Apache-2.0", blip3u::mutants::components)
