// The library of Scenes: a world that is drawn from a seed, and the tasks that judge it exactly.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "blip3u/dataset.h"
#include "blip3u/error.h"
#include "blip3u/plugin.h"
#include "blip3u/random.h"
#include "layers/join.h"
#include "scenes/conversations.h"
#include "scenes/tasks.h"

namespace blip3u::scenes {

namespace {

/// Grows whenever the same seed gives other samples.
constexpr int generator_version = 4;

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  std::size_t from = 0;
  while (from <= text.size()) {
    const std::size_t to = std::min(text.find(' ', from), text.size());
    if (to > from) words.push_back(text.substr(from, to - from));
    from = to + 1;
  }
  return words;
}

/// The parameters' held-out pairs and relations, or what is wrong with them: the parameter and why.
struct Choice {
  HeldOut held_out;
  std::string parameter, problem;
};

Choice parse_held_out(const Parameters& parameters) {
  Choice choice;
  const auto refuse = [&](const char* parameter, std::string problem) {
    if (choice.problem.empty()) choice = {{}, parameter, std::move(problem)};
  };
  for (const std::string& text : parameters.texts("held_out")) {
    const auto words = words_of(text);
    const auto colour = words.size() == 2 ? place_of(words[0], colours) : std::nullopt;
    const auto shape = words.size() == 2 ? place_of(words[1], shapes) : std::nullopt;
    if (colour && shape) {
      choice.held_out.pairs.set(pair_of(*colour, *shape));
    } else {
      refuse("held_out", fmt::format("'{}' is not a colour ({}) and a shape ({}), as in 'red triangle'", text,
                                     fmt::join(colours, ", "), fmt::join(shapes, ", ")));
    }
  }
  for (const std::string& text : parameters.texts("held_out_relations")) {
    const auto words = words_of(text);
    const auto first = words.size() == 2 ? place_of(words[0], shapes) : std::nullopt;
    const auto second = words.size() == 2 ? place_of(words[1], shapes) : std::nullopt;
    if (first && second && *first != *second) {
      choice.held_out.relations.set(*first * shapes.size() + *second);
    } else {
      refuse("held_out_relations",
             fmt::format("'{}' is not two shapes ({}), as in 'star circle'", text, fmt::join(shapes, ", ")));
    }
  }
  for (std::size_t shape = 0; shape < shapes.size(); ++shape) {
    std::size_t left = 0;
    for (std::size_t colour = 0; colour < colours.size(); ++colour) {
      left += choice.held_out.pairs[pair_of(colour, shape)] ? 0 : 1;
    }
    if (left < 2) refuse("held_out", fmt::format("training must see a {} in two colours at least", shapes[shape]));
  }
  for (std::size_t colour = 0; colour < colours.size(); ++colour) {
    std::size_t left = 0;
    for (std::size_t shape = 0; shape < shapes.size(); ++shape) {
      left += choice.held_out.pairs[pair_of(colour, shape)] ? 0 : 1;
    }
    if (left < 3) refuse("held_out", fmt::format("training must see three shapes at least in {}", colours[colour]));
  }
  if (choice.held_out.relations.count() > 6) refuse("held_out_relations", "leave most pairs of shapes in training");
  return choice;
}

/// A chapter of the test split: its name, and what its samples are of, in turn.
struct TestChapter {
  std::string name;
  std::vector<Aim> aims;
};

std::vector<TestChapter> test_chapters(const HeldOut& held_out) {
  std::vector<TestChapter> chapters;
  std::map<std::string, std::vector<Aim>> reworded;
  for (const Family& family : families()) {
    for (const char* type : family.types) {
      const std::string kind = family.kind;
      const Aim aim{.kind = kind, .type = kind == "dialogue" ? "six_turns" : type};
      chapters.push_back({kind == aim.type ? kind : fmt::format("{}/{}", kind, aim.type), {aim}});
      if (kind != "dialogue") reworded[kind].push_back({.kind = kind, .type = type, .held_out_wording = true});
    }
  }
  const auto unseen = [&](const char* name, const char* kind, std::vector<const char*> types, const char* what) {
    chapters.push_back({fmt::format("unseen/{}", name), {}});
    for (const char* type : types) chapters.back().aims.push_back({.kind = kind, .type = type, .held_out = what});
  };
  if (held_out.pairs.any()) unseen("pairs", "draw", {"colors", "color_attribution"}, "pair");
  if (held_out.relations.any()) unseen("relations", "draw", {"position"}, "relation");
  unseen("counts", "draw", {"counting"}, "count");
  if (held_out.pairs.any()) unseen("questions", "question", {"exist", "count"}, "pair");
  for (auto& [kind, aims] : reworded) chapters.push_back({fmt::format("unseen/wordings/{}", kind), std::move(aims)});
  return chapters;
}

HeldOut checked(const Choice& choice) {
  if (choice.problem.empty()) return choice.held_out;
  throw Error(Fault::usage, fmt::format("dataset scenes: {}: {}", choice.parameter, choice.problem));
}

class Scenes final : public Dataset, public Indexed, public Classes {
 public:
  Scenes(const Parameters& parameters, const BuildContext& context)
      : held_out_(checked(parse_held_out(parameters))),
        conversations_(held_out_, context.wiring.image_size),
        test_(test_chapters(held_out_)),
        samples_(parameters.integer("samples")),
        test_samples_(parameters.integer("test_samples")),
        seed_(static_cast<std::uint64_t>(parameters.integer("seed"))) {
    const std::string identity =
        fmt::format("scenes {} {} {} {} {} {} {}", generator_version, context.wiring.image_size, samples_,
                    test_samples_, seed_, held_out_.pairs.to_string(), held_out_.relations.to_string());
    fingerprint_ = fmt::format("{:016x}", derive_seed(0, identity));
  }

  std::vector<std::string> classes() const override {
    std::vector<std::string> names;
    for (std::size_t colour = 0; colour < colours.size(); ++colour) {
      for (std::size_t shape = 0; shape < shapes.size(); ++shape)
        names.push_back(say(Phrase{1, {}, colour, shape}, nullptr));
    }
    return names;
  }

  std::string fingerprint() const override { return fingerprint_; }

  std::vector<Chapter> chapters(Split split) const override {
    if (split == Split::train) return {{"scenes", samples_}};
    std::vector<Chapter> chapters;
    for (const TestChapter& chapter : test_) chapters.push_back({chapter.name, test_samples_});
    return chapters;
  }

  std::unique_ptr<Reader> open(Split split, std::int64_t chapter) const override {
    const std::int64_t count = split == Split::train ? samples_ : test_samples_;
    return std::make_unique<Range>(*this, split, chapter * count, count);
  }

  std::int64_t samples(Split split) const override {
    return split == Split::train ? samples_ : test_samples_ * std::ssize(test_);
  }

  Sample sample(Split split, std::int64_t index) const override {
    const bool train = split == Split::train;
    Engine engine(derive_seed(derive_seed(seed_, train ? "train" : "test"), static_cast<std::uint64_t>(index)));
    if (train) {
      Sample made = conversations_.make(Conversations::any_aim(engine), engine);
      made.id = fmt::format("train {}", index);
      return made;
    }
    const TestChapter& chapter = test_[static_cast<std::size_t>(index / test_samples_)];
    const std::int64_t place = index % test_samples_;
    Sample made = conversations_.make(chapter.aims[static_cast<std::size_t>(place) % chapter.aims.size()], engine);
    made.id = fmt::format("{} {}", chapter.name, place);
    return made;
  }

 private:
  class Range final : public Reader {
   public:
    Range(const Scenes& scenes, Split split, std::int64_t first, std::int64_t count)
        : scenes_(scenes), split_(split), next_(first), end_(first + count) {}
    std::optional<Sample> next() override {
      if (next_ >= end_) return std::nullopt;
      return scenes_.sample(split_, next_++);
    }
    void skip(std::int64_t count) override { next_ += std::min(count, end_ - next_); }

   private:
    const Scenes& scenes_;
    Split split_;
    std::int64_t next_, end_;
  };

  HeldOut held_out_;
  Conversations conversations_;
  std::vector<TestChapter> test_;
  std::int64_t samples_, test_samples_;
  std::uint64_t seed_;
  std::string fingerprint_;
};

constexpr ParameterSpec parameters[] = {
    integer("samples", 400'000, 1, 1'000'000'000, "conversations to train on"),
    integer("test_samples", 400, 1, 1'000'000, "conversations of each kind to test on"),
    integer("seed", 0, 0, std::int64_t{1} << 53, "another seed is another world of the same kind"),
    texts("held_out", "red triangle,blue star,green circle,yellow cross",
          "pairs of colour and shape that training never sees, in no picture and no text"),
    texts("held_out_relations", "star circle,square cross",
          "ordered pairs of shapes: no training text says how the first stands to the second"),
};

void check(const Parameters& values, Wiring& wiring) {
  if (Choice choice = parse_held_out(values); !choice.problem.empty()) {
    wiring.reject(choice.parameter, std::move(choice.problem));
  }
  if (wiring.image_size < 32 || wiring.image_size > 64) {
    wiring.reject(
        "", fmt::format("scenes are drawn at 32 to 64 pixels a side, not {}; set data.image_size", wiring.image_size));
  }
}

constexpr ComponentDescriptor own_components[] = {
    {.kind = Kind::dataset,
     .name = "scenes",
     .summary = "Flat shapes on plain grounds, drawn from a seed: captions, questions, prompts, edits, reasoning and "
                "dialogues that can be judged exactly.",
     .parameters = parameters,
     .check = check,
     .create = create<Scenes>},
};
constexpr auto components = layers::join(own_components, task_components);

}  // namespace

}  // namespace blip3u::scenes

BLIP3U_PLUGIN("scenes", "0.1.0", "Apache-2.0", blip3u::scenes::components)
