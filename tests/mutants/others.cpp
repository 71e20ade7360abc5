// Data sets, tokenizers and tasks that are wrong in one way each, and one `sound` of each kind, from which they differ.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <torch/torch.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "blip3u/dataset.h"
#include "blip3u/plugin.h"
#include "blip3u/task.h"
#include "blip3u/tokenizer.h"

namespace blip3u::mutants {
namespace {

// Data sets -----------------------------------------------------------------------------------------------------------

constexpr const char* colours[] = {"red", "green", "blue"};

/// Pictures that fade from left to right in one of three colours.
class Fades : public Dataset {
 public:
  Fades(const Parameters& parameters, const BuildContext&) : image_size_(parameters.integer("image_size")) {
    for (std::size_t i = 0; i < examples_.size(); ++i) {
      examples_[i] = {.id = fmt::format("fade {}", i),
                      .caption = fmt::format("a {} fade", colours[i % 3]),
                      .questions = {{.text = "what colour is the fade?", .answer = colours[i % 3]}}};
    }
  }

  std::int64_t size(Split split) const override { return split == Split::train ? 9 : 3; }

  const Example& example(Split split, std::int64_t index) const override { return examples_[place(split, index)]; }

  Tensor image(Split split, std::int64_t index) const override {
    const std::size_t which = place(split, index);
    Tensor picture = torch::full({3, image_size_, image_size_}, -1.0);
    const std::size_t darker = which / 3;
    const double brightest = 1.0 - 0.1 * static_cast<double>(darker);
    picture[static_cast<std::int64_t>(which % 3)] = torch::linspace(-1, brightest, image_size_).expand_as(picture[0]);
    return picture;
  }

  bool trains_generation(std::int64_t index) const override {
    place(Split::train, index);
    return true;
  }

  std::vector<std::string> classes() const override {
    std::vector<std::string> captions;
    for (const char* colour : colours) captions.push_back(fmt::format("a {} fade", colour));
    return captions;
  }

  std::vector<Prompt> prompts() const override {
    std::vector<Prompt> prompts;
    for (const std::string& caption : classes()) prompts.push_back({.text = caption});
    return prompts;
  }

  std::string fingerprint() const override { return fmt::format("fades {}", image_size_); }

 protected:
  std::vector<Example> examples_ = std::vector<Example>(12);

 private:
  /// In examples_, where the test split stands behind the training split.
  std::size_t place(Split split, std::int64_t index) const {
    if (index < 0 || index >= size(split)) {
      throw Error(fmt::format("dataset: there is no picture {}; ask for one of {}", index, size(split)));
    }
    return static_cast<std::size_t>(split == Split::train ? index : size(Split::train) + index);
  }

  std::int64_t image_size_;
};

/// Shifts a picture a little further each time, to have more to train on.
class Wanders : public Fades {
  using Fades::Fades;
  Tensor image(Split split, std::int64_t index) const override { return Fades::image(split, index).roll(calls_++, 2); }
  mutable std::int64_t calls_ = 0;
};

class SameIds : public Fades {
 public:
  SameIds(const Parameters& parameters, const BuildContext& context) : Fades(parameters, context) {
    examples_[1].id = examples_[0].id;
  }
};

class GreyPictures : public Fades {
  using Fades::Fades;
  Tensor image(Split split, std::int64_t index) const override { return Fades::image(split, index).mean(0, true); }
};

class OtherFingerprint : public Fades {
  using Fades::Fades;
  std::string fingerprint() const override {
    static int calls = 0;
    return fmt::format("{}", ++calls);
  }
};

/// Holds the last class out of the prompts, but not out of training.
class LeaksHeldOut : public Fades {
  using Fades::Fades;
  std::vector<Prompt> prompts() const override {
    std::vector<Prompt> prompts = Fades::prompts();
    prompts.back().held_out = true;
    return prompts;
  }
};

constexpr ParameterSpec dataset_parameters[] = {integer("image_size", 32, 8, 256, "pixels a side of the pictures")};

void check_dataset(const Parameters& parameters, Wiring& wiring) {
  wiring.image_size = parameters.integer("image_size");
}

template <class T>
constexpr ComponentDescriptor dataset(const char* name, const char* summary) {
  return {.kind = Kind::dataset,
          .name = name,
          .summary = summary,
          .parameters = dataset_parameters,
          .check = check_dataset,
          .create = create<T>};
}

// Tokenizers ----------------------------------------------------------------------------------------------------------

constexpr std::int64_t unknown = 3, first_free = 4;  // 0, 1 and 2 are padding and the frame

/// One id for each run of anything but white space.
class Sound : public Tokenizer {
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

// Tasks ---------------------------------------------------------------------------------------------------------------

/// The share of test questions that are answered word for word.
class Answers : public Task {
 public:
  Answers(const Parameters&, const BuildContext&) {}

  Model::Ability needs() const override { return Model::Ability::answer; }

  std::string missing_for(const Dataset& dataset) const override {
    for (std::int64_t i = 0; i < dataset.size(Split::test); ++i) {
      if (!dataset.example(Split::test, i).questions.empty()) return {};
    }
    return "the data set has no test questions; give it some, or take the task out of the recipe";
  }

  TaskResult evaluate(const TaskContext& context) override {
    TaskResult result;
    std::int64_t right = 0;
    const std::int64_t images = context.dataset.size(Split::test);
    for (std::int64_t i = 0; i < images; ++i) {
      const Example& example = context.dataset.example(Split::test, i);
      for (const Question& question : example.questions) {
        const Tensor image = context.dataset.image(Split::test, i).unsqueeze(0);
        const std::string answer = context.model.answer(image, {question.text}).at(0);
        const bool good = matches(answer, question.answer);
        right += good ? 1 : 0;
        result.items.push_back({.id = example.id,
                                .input = question.text,
                                .output = answer,
                                .expected = question.answer,
                                .score = good ? 1.0 : 0.0});
      }
      if (context.progress) context.progress(i + 1, images);
    }
    result.scores = {share(right, static_cast<std::int64_t>(result.items.size()))};
    return result;
  }

 protected:
  virtual bool matches(const std::string& answer, const std::string& expected) const { return answer == expected; }

  virtual Score share(std::int64_t right, std::int64_t count) const {
    const auto items = static_cast<double>(std::max<std::int64_t>(count, 1));
    const double value = static_cast<double>(right) / items, error = 1.96 * std::sqrt(value * (1 - value) / items);
    return {.name = "answers",
            .protocol = "exact_match@1",
            .value = value,
            .low = std::max(0.0, value - error),
            .high = std::min(1.0, value + error),
            .interval = "normal",
            .count = count};
  }
};

/// Counts one question too many.
class NeverFull : public Answers {
  using Answers::Answers;
  Score share(std::int64_t right, std::int64_t count) const override { return Answers::share(right, count + 1); }
};

class LikesAll : public Answers {
  using Answers::Answers;
  bool matches(const std::string&, const std::string&) const override { return true; }
};

/// Says that it needs another ability than the one it uses.
class NeedsLittle : public Answers {
  using Answers::Answers;
  Model::Ability needs() const override { return Model::Ability::reconstruct; }
};

template <class T>
constexpr ComponentDescriptor task(const char* name, const char* summary) {
  return {.kind = Kind::task, .name = name, .summary = summary, .create = create<T>};
}

constexpr ComponentDescriptor components[] = {
    dataset<Fades>("sound", "Nothing is wrong with it."),
    dataset<Wanders>("wanders", "Its pictures differ from call to call."),
    dataset<SameIds>("same_ids", "Two of its examples have one id."),
    dataset<GreyPictures>("grey_pictures", "Its pictures have one channel."),
    dataset<OtherFingerprint>("other_fingerprint", "Its fingerprint counts how often it was asked."),
    dataset<LeaksHeldOut>("leaks_held_out", "Trains generation on what its prompts hold out."),
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
    task<Answers>("sound", "Nothing is wrong with it."),
    task<NeverFull>("never_full", "Divides by one question too many, so that nobody scores 1."),
    task<NeedsLittle>("needs_little", "Uses an ability that it does not name."),
    task<LikesAll>("likes_all", "Scores every answer as right."),
};

}  // namespace
}  // namespace blip3u::mutants

BLIP3U_PLUGIN("mutant_others", "0.1.0", "Apache-2.0", blip3u::mutants::components)
