// Data sets, tokenizers and tasks that are wrong in one way each, and one `sound` of each kind, from which they differ.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <iterator>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <torch/torch.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "blip3u/dataset.h"
#include "blip3u/image.h"
#include "blip3u/plugin.h"
#include "blip3u/task.h"
#include "blip3u/tokenizer.h"

namespace blip3u::mutants {
namespace {

// Data sets -----------------------------------------------------------------------------------------------------------

constexpr const char* colours[] = {"red", "green", "blue"};

/// Pictures that fade from left to right in one of three colours.
class Fades : public Dataset, public Indexed {
 public:
  Fades(const Parameters&, const BuildContext& context) : image_size_(context.wiring.image_size) {}

  std::vector<Chapter> chapters(Split split) const override { return {{"fades", samples(split)}}; }
  std::unique_ptr<Reader> open(Split split, std::int64_t) const override { return read_in_order(*this, split); }
  std::string fingerprint() const override { return fmt::format("fades {}", image_size_); }
  std::int64_t samples(Split split) const override { return split == Split::train ? 9 : 3; }

  Sample sample(Split split, std::int64_t index) const override {
    const std::int64_t which = split == Split::train ? index : samples(Split::train) + index;
    if (index < 0 || index >= samples(split)) {
      throw Error(fmt::format("dataset: there is no picture {}; ask for one of {}", index, samples(split)));
    }
    Tensor picture = torch::full({3, image_size_, image_size_}, -1.0);
    const double brightest = 1.0 - 0.1 * static_cast<double>(which / 3);
    picture[which % 3] = torch::linspace(-1, brightest, image_size_).expand_as(picture[0]);
    const std::string caption = fmt::format("a {} fade", colours[which % 3]);
    Sample sample;
    sample.id = fmt::format("fade {}", which);
    sample.messages = {{Role::user, {text_part(caption)}}, {Role::assistant, {image_part(0, 1)}}};
    sample.images = {to_bytes(picture)};
    sample.captions = {caption};
    return sample;
  }

 protected:
  std::int64_t image_size_;
};

/// Shifts a picture a little further each time, to have more to train on.
class Wanders : public Fades {
  using Fades::Fades;
  Sample sample(Split split, std::int64_t index) const override {
    Sample sample = Fades::sample(split, index);
    sample.images[0] = sample.images[0].roll(calls_++, 2);
    return sample;
  }
  mutable std::atomic<std::int64_t> calls_ = 0;
};

class SameIds : public Fades {
  using Fades::Fades;
  Sample sample(Split split, std::int64_t index) const override {
    Sample sample = Fades::sample(split, index);
    if (index == 1) sample.id = "fade 0";
    return sample;
  }
};

class GreyPictures : public Fades {
  using Fades::Fades;
  Sample sample(Split split, std::int64_t index) const override {
    Sample sample = Fades::sample(split, index);
    sample.images[0] = sample.images[0].narrow(0, 0, 1);
    return sample;
  }
};

class OtherFingerprint : public Fades {
  using Fades::Fades;
  std::string fingerprint() const override {
    static int calls = 0;
    return fmt::format("{}", ++calls);
  }
};

/// Says which class is held out, and trains on it.
class LeaksHeldOut : public Fades {
  using Fades::Fades;
  Sample sample(Split split, std::int64_t index) const override {
    Sample sample = Fades::sample(split, index);
    sample.labels = {{"held_out", index % 3 == 2 ? "yes" : "no"}};
    return sample;
  }
};

class MiscountsChapter : public Fades {
  using Fades::Fades;
  std::vector<Chapter> chapters(Split split) const override { return {{"fades", samples(split) + 1}}; }
};

/// Its reader skips one sample too many.
class SkipsTooFar : public Fades {
  using Fades::Fades;
  class Eager : public Reader {
   public:
    explicit Eager(std::unique_ptr<Reader> reader) : reader_(std::move(reader)) {}
    std::optional<Sample> next() override { return reader_->next(); }
    void skip(std::int64_t count) override { reader_->skip(count + 1); }

   private:
    std::unique_ptr<Reader> reader_;
  };
  std::unique_ptr<Reader> open(Split split, std::int64_t chapter) const override {
    return std::make_unique<Eager>(Fades::open(split, chapter));
  }
};

/// Its index begins with the last sample.
class IndexTurned : public Fades {
  using Fades::Fades;
  struct Straight final : Indexed {
    const Fades* fades;
    std::int64_t samples(Split split) const override { return fades->samples(split); }
    Sample sample(Split split, std::int64_t index) const override { return fades->Fades::sample(split, index); }
  };
  std::unique_ptr<Reader> open(Split split, std::int64_t) const override {
    straight_.fades = this;
    return read_in_order(straight_, split);
  }
  Sample sample(Split split, std::int64_t index) const override {
    return Fades::sample(split, samples(split) - 1 - index);
  }
  mutable Straight straight_;
};

template <class T>
constexpr ComponentDescriptor dataset(const char* name, const char* summary) {
  return {.kind = Kind::dataset, .name = name, .summary = summary, .create = create<T>};
}

// Tokenizers ----------------------------------------------------------------------------------------------------------

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

// Tasks ---------------------------------------------------------------------------------------------------------------

/// The share of test questions that are answered word for word.
class Answers : public Task {
 public:
  Answers(const Parameters&, const BuildContext&) {}

  Model::Ability needs() const override { return Model::Ability::answer; }

  std::vector<Item> items(const TaskData& data, std::uint64_t) const override {
    std::vector<Item> items;
    for (const Dataset* dataset : data.datasets) {
      for_each_sample(*dataset, Split::test, [&](Sample&& sample) {
        if (sample.messages.size() != 2 || sample.messages[1].content[0].type != Part::Type::text) return true;
        items.push_back({.id = sample.id,
                         .messages = {sample.messages[0]},
                         .images = sample.images,
                         .expected = sample.messages[1].content[0].text});
        return true;
      });
    }
    return items;
  }

  std::string missing_for(const TaskData& data) const override {
    return items(data, 0).empty() ? "the data set has no test questions; give it some, or take the task out" : "";
  }

  std::vector<ItemRecord> score(const Item& item, std::span<const Output> outputs) const override {
    std::vector<ItemRecord> records;
    for (const Output& output : outputs) {
      records.push_back({.id = item.id,
                         .input = item.messages[0].content.back().text,
                         .output = output.text,
                         .expected = item.expected,
                         .score = matches(output.text, item.expected) ? 1.0 : 0.0});
    }
    return records;
  }

  std::vector<Score> summarise(const TaskData&, std::span<const ItemRecord> records, std::uint64_t) const override {
    std::int64_t right = 0;
    for (const ItemRecord& record : records) right += record.score == 1 ? 1 : 0;
    return {share(right, static_cast<std::int64_t>(records.size()))};
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

/// Asks the same thing twice under one name.
class RepeatsItem : public Answers {
  using Answers::Answers;
  std::vector<Item> items(const TaskData& data, std::uint64_t seed) const override {
    auto items = Answers::items(data, seed);
    if (!items.empty()) items.push_back(items.front());
    return items;
  }
};

/// Remembers how many it has scored.
class RemembersScores : public Answers {
  using Answers::Answers;
  bool matches(const std::string& answer, const std::string& expected) const override {
    static int scored = 0;
    return ++scored % 7 != 0 && Answers::matches(answer, expected);
  }
};

/// Its interval lies beside its value.
class IntervalBeside : public Answers {
  using Answers::Answers;
  Score share(std::int64_t right, std::int64_t count) const override {
    Score score = Answers::share(right, count);
    score.low = score.value + 0.1;
    score.high = score.value + 0.2;
    return score;
  }
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
    dataset<MiscountsChapter>("miscounts_chapter", "Says that its chapter has one sample more."),
    dataset<SkipsTooFar>("skips_too_far", "Its reader skips one sample too many."),
    dataset<IndexTurned>("index_turned", "Its index begins with the last sample."),
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
    task<RepeatsItem>("repeats_item", "Two of its items have one id."),
    task<RemembersScores>("remembers_scores", "Scores every seventh reply as wrong."),
    task<IntervalBeside>("interval_beside", "Its interval does not hold its value."),
    task<LikesAll>("likes_all", "Scores every answer as right."),
};

}  // namespace
}  // namespace blip3u::mutants

BLIP3U_PLUGIN("mutant_others", "0.1.0", "Apache-2.0", blip3u::mutants::components)
