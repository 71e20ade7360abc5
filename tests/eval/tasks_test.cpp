// The tasks, loaded as a plugin and given a model whose answers are known.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "blip3u/dataset.h"
#include "blip3u/error.h"
#include "blip3u/model.h"
#include "blip3u/random.h"
#include "blip3u/task.h"
#include "components.h"
#include "eval/shapes.h"
#include "eval/statistics.h"
#include "shape_pictures.h"

namespace blip3u::eval {
namespace {

ColouredShape pair(std::size_t i) { return {i / shape_names.size() % shape_colours.size(), i % shape_names.size()}; }

std::string caption(std::size_t i) { return "a " + to_text(pair(i)); }

/// 24 test and 24 training images, one of each pair, each with two questions.
class Pairs : public Dataset {
 public:
  Pairs() {
    for (std::size_t i = 0; i < 24; ++i) {
      examples_.push_back({.id = std::to_string(i),
                           .caption = caption(i),
                           .questions = {{"what color is the shape?", shape_colours[pair(i).colour]},
                                         {"is there a circle?", pair(i).shape == 0 ? "yes" : "no"}}});
    }
  }
  std::int64_t size(Split) const override { return 24; }
  const Example& example(Split, std::int64_t index) const override {
    return examples_[static_cast<std::size_t>(index)];
  }
  Tensor image(Split, std::int64_t index) const override { return draw(pair(static_cast<std::size_t>(index))); }
  bool trains_generation(std::int64_t) const override { return true; }
  std::vector<std::string> classes() const override {
    std::vector<std::string> captions;
    for (std::size_t i = 0; i < 24; ++i) captions.push_back(caption(i));
    return captions;
  }
  std::vector<Prompt> prompts() const override {
    std::vector<Prompt> prompts;
    for (std::size_t i = 0; i < 24; ++i) prompts.push_back({caption(i), i % 6 == 0});
    return prompts;
  }
  std::string fingerprint() const override { return "pairs"; }

 protected:
  std::vector<Example> examples_;
};

/// Pairs whose first image has another caption.
class FirstCaptioned : public Pairs {
 public:
  explicit FirstCaptioned(const std::string& text) { examples_[0].caption = text; }
};

/// Images of which nothing is known.
class Wordless : public Pairs {
 public:
  Wordless() {
    for (auto& example : examples_) example = {.id = example.id, .caption = {}, .questions = {}};
  }
};

/// Training images alone.
class Untested : public Pairs {
 public:
  std::int64_t size(Split split) const override { return split == Split::train ? 24 : 0; }
};

/// Two prompts, of which the scorer of shapes knows the second.
class Sentences : public Pairs {
 public:
  std::vector<Prompt> prompts() const override { return {{"a dog on a lawn", false}, {"a red circle", true}}; }
};

/// Does everything right, except for what each test breaks.
class Oracle : public Model {
 public:
  std::string missing_for(Ability) const override { return {}; }

  Tensor classify(const Tensor& images, const std::vector<std::string>& captions) override {
    auto scores = at::zeros({images.size(0), static_cast<std::int64_t>(captions.size())});
    for (std::int64_t i = 0; i < images.size(0); ++i) {
      auto found = *read_shape(images[i], ShapeProtocol::coverage).found;
      if (always_red) found.colour = 0;
      for (std::size_t c = 0; c < captions.size(); ++c) {
        if (parse_coloured_shape(captions[c]) == found) scores[i][static_cast<std::int64_t>(c)] = 1;
      }
    }
    return scores;
  }
  std::vector<Reply> respond(std::span<const Request>, const Events&) override {
    throw Error("these tasks ask by `answer` and `generate`");
  }
  std::vector<std::string> answer(const Tensor& images, const std::vector<std::string>& questions) override {
    std::vector<std::string> answers;
    for (std::size_t i = 0; i < questions.size(); ++i) {
      const auto found = *read_shape(images[static_cast<std::int64_t>(i)], ShapeProtocol::coverage).found;
      const bool colour = questions[i].starts_with("what");
      answers.emplace_back(colour ? (always_red ? "red" : shape_colours[found.colour])
                                  : (found.shape == 0 ? " Yes." : "no"));
    }
    return answers;
  }
  Tensor generate(const std::vector<std::string>& prompts, const std::vector<std::uint64_t>& seeds,
                  const std::function<void(std::int64_t, std::int64_t)>&) override {
    std::vector<Tensor> images;
    for (const auto& prompt : prompts) {
      if (auto what = parse_coloured_shape(prompt)) {
        if (always_red) what->colour = 0;
        images.push_back(draw(*what));
      } else {  // black and white in turn
        images.push_back(at::full({3, 64, 64}, images.size() % 2 == 0 ? -1.0 : 1.0));
      }
    }
    generated = prompts;
    generated_seeds = seeds;
    return at::stack(images);
  }
  Tensor reconstruct(const Tensor& images, const std::vector<std::uint64_t>&) override {
    return always_red ? at::full_like(images, 0.8) : images.clone();
  }

  bool always_red = false;
  std::vector<std::string> generated;
  std::vector<std::uint64_t> generated_seeds;
};

TaskResult run(const std::string& name, Model& model, const Dataset& dataset, const Overrides& changes = {}) {
  return make<Task>(Kind::task, "tasks/" + name, changes)
      ->evaluate({.model = model, .dataset = dataset, .seed = 5, .progress = {}});
}

std::string missing(const std::string& name, const Dataset& dataset, const Overrides& changes = {}) {
  return make<Task>(Kind::task, "tasks/" + name, changes)->missing_for(dataset);
}

const Score& score(const TaskResult& result, const std::string& name) {
  for (const auto& found : result.scores) {
    if (found.name == name) return found;
  }
  throw Error("there is no score " + name);
}

TEST(Vqa, CountsExactMatches) {
  Oracle model;
  const auto perfect = run("vqa", model, Pairs());
  EXPECT_EQ(score(perfect, "vqa").value, 1.0);
  EXPECT_EQ(score(perfect, "vqa").count, 48);
  EXPECT_EQ(score(perfect, "vqa").protocol, "exact_match@1");
  model.always_red = true;
  const auto worse = run("vqa", model, Pairs());
  EXPECT_DOUBLE_EQ(score(worse, "vqa/colour").value, 3.0 / 24);
  EXPECT_EQ(score(worse, "vqa/yes_no").value, 1.0);
  EXPECT_DOUBLE_EQ(score(worse, "vqa").value, 27.0 / 48);
  EXPECT_EQ(worse.items.size(), 48U);
}

TEST(Vqa, LearnsTheBlindMajorityFromTrainingQuestions) {
  Oracle model;
  const auto result = run("vqa", model, Pairs());
  // "no" is right for 16 of 24, and any one colour for 3 of 24.
  EXPECT_DOUBLE_EQ(score(result, "vqa/blind_majority").value, 19.0 / 48);
  EXPECT_TRUE(score(result, "vqa/blind_majority").reference);
}

TEST(Vqa, CanBeCutShort) {
  Oracle model;
  EXPECT_EQ(score(run("vqa", model, Pairs(), {{"questions", std::int64_t{10}}}), "vqa").count, 10);
}

TEST(Classification, ScoresPairColourAndShape) {
  Oracle model;
  EXPECT_EQ(score(run("classification", model, Pairs()), "classification").value, 1.0);
  model.always_red = true;
  const auto result = run("classification", model, Pairs());
  EXPECT_DOUBLE_EQ(score(result, "classification").value, 3.0 / 24);
  EXPECT_DOUBLE_EQ(score(result, "classification_colour").value, 3.0 / 24);
  EXPECT_EQ(score(result, "classification_shape").value, 1.0);
  EXPECT_DOUBLE_EQ(score(result, "classification/most_frequent_class").value, 1.0 / 24);
}

TEST(Classification, LeavesOutImagesOfUnknownClass) {
  Oracle model;
  const auto result = run("classification", model, FirstCaptioned(""));
  EXPECT_EQ(score(result, "classification").count, 23);
  EXPECT_EQ(score(result, "classification").value, 1.0);
  EXPECT_EQ(result.items.size(), 23U);
}

TEST(Reconstruction, ScoresShapesAndPixels) {
  Oracle model;
  const auto perfect = run("reconstruction", model, Pairs());
  EXPECT_EQ(score(perfect, "reconstruction").value, 1.0);
  EXPECT_EQ(score(perfect, "reconstruction/scorer_on_real").value, 1.0);
  EXPECT_EQ(score(perfect, "reconstruction/absolute_error").value, 0.0);
  EXPECT_FALSE(score(perfect, "reconstruction/absolute_error").higher_is_better);
  EXPECT_EQ(perfect.images.size(), 12U);
  model.always_red = true;
  const auto empty = run("reconstruction", model, Pairs());
  EXPECT_EQ(score(empty, "reconstruction").value, 0.0);
  EXPECT_EQ(score(empty, "reconstruction/scorer_on_real").value, 1.0);
  EXPECT_GT(score(empty, "reconstruction/absolute_error").value, 0.0);
}

TEST(Reconstruction, LeavesOutImagesWithoutCaption) {
  Oracle model;
  const auto result = run("reconstruction", model, FirstCaptioned(""));
  EXPECT_EQ(score(result, "reconstruction").count, 23);
  EXPECT_EQ(score(result, "reconstruction/scorer_on_real").count, 23);
  EXPECT_EQ(score(result, "reconstruction/absolute_error").count, 23);
}

TEST(Reconstruction, ComparesOnlyPixelsWhereCaptionsNameNoShape) {
  Oracle model;
  model.always_red = true;  // which decodes every image to one grey
  const Wordless wordless;
  const FirstCaptioned photo("a photo of a lawn");
  double expected = 0;
  for (std::int64_t i = 0; i < 24; ++i) {
    expected += (wordless.image(Split::test, i) - 0.8).abs().mean().item<double>() / 2 / 24;
  }
  for (const Dataset* dataset : std::vector<const Dataset*>{&wordless, &photo}) {
    const auto result = run("reconstruction", model, *dataset);
    ASSERT_EQ(result.scores.size(), 1U);
    EXPECT_EQ(result.scores[0].name, "reconstruction/absolute_error");
    EXPECT_EQ(result.scores[0].count, 24);
    EXPECT_NEAR(result.scores[0].value, expected, 1e-5);
  }
}

TEST(Generation, ScoresSeenAndHeldOutApart) {
  Oracle model;
  const auto result =
      run("generation", model, Pairs(), {{"images_seen", std::int64_t{100}}, {"images_held_out", std::int64_t{40}}});
  EXPECT_EQ(score(result, "generation/seen").value, 1.0);
  EXPECT_EQ(score(result, "generation/seen").count, 100);
  EXPECT_EQ(score(result, "generation/held_out").count, 40);
  EXPECT_EQ(score(result, "generation/scorer_on_real").value, 1.0);
  EXPECT_LT(score(result, "generation/seen_shuffled").value, 0.2);
  EXPECT_TRUE(score(result, "generation/seen_shuffled").reference);
  EXPECT_EQ(score(result, "generation/diversity").value, 0.0);  // the oracle ignores its seeds
  for (std::size_t i = 0; i < model.generated_seeds.size(); ++i) {
    EXPECT_EQ(model.generated_seeds[i], derive_seed(derive_seed(5, "generation"), i));
  }
}

TEST(Generation, DrawsAtLeastAsManyAsAskedFor) {
  Oracle model;
  const auto result =
      run("generation", model, Pairs(), {{"images_seen", std::int64_t{41}}, {"images_held_out", std::int64_t{0}}});
  EXPECT_EQ(score(result, "generation/seen").count, 60);  // 20 prompts, three each
  EXPECT_THROW(score(result, "generation/held_out"), Error);
}

TEST(Generation, SeesWrongColours) {
  Oracle model;
  model.always_red = true;
  const auto result =
      run("generation", model, Pairs(), {{"images_seen", std::int64_t{20}}, {"images_held_out", std::int64_t{4}}});
  EXPECT_DOUBLE_EQ(score(result, "generation/seen").value, 2.0 / 20);  // of red, the circle is held out
  EXPECT_DOUBLE_EQ(score(result, "generation/held_out").value, 1.0 / 4);
  EXPECT_EQ(score(result, "generation/seen_shape").value, 1.0);
}

// The oracle that draws everything red is right for 2 of 20 seen prompts and 1 of 4 held-out ones, always for the whole
// prompt: the interval is that of the prompts, however many images each has.
TEST(Generation, TakesWholePromptsForItsIntervals) {
  Oracle model;
  model.always_red = true;
  std::vector<Interval> seen, held_out;
  for (const std::int64_t each : {1, 5}) {
    const auto result = run("generation", model, Pairs(), {{"images_seen", 20 * each}, {"images_held_out", 4 * each}});
    for (const std::string part : {"", "_colour"}) {
      const auto &of_seen = score(result, "generation/seen" + part),
                 &of_held_out = score(result, "generation/held_out" + part);
      seen.push_back({of_seen.low, of_seen.high});
      held_out.push_back({of_held_out.low, of_held_out.high});
    }
    EXPECT_EQ(score(result, "generation/seen").interval, "korn-graubard over clusters");
    EXPECT_EQ(score(result, "generation/seen").count, 20 * each);
  }
  for (std::size_t i = 0; i < seen.size(); ++i) {
    EXPECT_NEAR(seen[i].low, seen[0].low, 1e-9);
    EXPECT_NEAR(seen[i].high, seen[0].high, 1e-9);
    EXPECT_NEAR(held_out[i].high, held_out[0].high, 1e-9);
  }
  const auto of_prompts = exact_interval(0.1, 20);  // before Student's reduction, which makes it wider
  EXPECT_LT(seen[0].low, of_prompts.low);
  EXPECT_GT(seen[0].high, of_prompts.high);
  EXPECT_GT(held_out[0].high - held_out[0].low, 0.8);  // four prompts tell little
}

TEST(Generation, NamesTheHeldOutPairThatFails) {
  Oracle model;
  model.always_red = true;
  const auto result =
      run("generation", model, Pairs(), {{"images_seen", std::int64_t{20}}, {"images_held_out", std::int64_t{40}}});
  // Wilson's interval of all of n or none of n ends at n / (n + z^2) or z^2 / (n + z^2).
  const double square = 1.959964 * 1.959964;
  const auto& right = score(result, "generation/held_out: red circle");
  EXPECT_EQ(right.value, 1.0);
  EXPECT_NEAR(right.low, 10 / (10 + square), 1e-6);
  const auto& wrong = score(result, "generation/held_out: blue circle");
  EXPECT_EQ(wrong.value, 0.0);
  EXPECT_NEAR(wrong.high, square / (10 + square), 1e-6);
  EXPECT_EQ(wrong.count, 10);
  EXPECT_EQ(wrong.interval, "wilson");
  EXPECT_TRUE(wrong.reference);
  EXPECT_THROW(score(result, "generation/seen: green circle"), Error);
}

TEST(Generation, ShowsWhatItCannotJudge) {
  Oracle model;
  const auto result =
      run("generation", model, Sentences(), {{"images_seen", std::int64_t{4}}, {"images_held_out", std::int64_t{2}}});
  ASSERT_EQ(result.scores.size(), 1U);
  EXPECT_EQ(result.scores[0].name, "generation/diversity");
  // Of the six pairs among two black and two white images four differ, by the full range; two red circles do not.
  EXPECT_DOUBLE_EQ(result.scores[0].value, 4.0 / 7);
  EXPECT_TRUE(result.items.empty());
  ASSERT_EQ(result.images.size(), 6U);
  EXPECT_EQ(result.images[0].label, "a dog on a lawn");
  EXPECT_EQ(result.images[5].label, "a red circle *");
  for (const auto& image : result.images) EXPECT_TRUE(image.good);
}

TEST(Tasks, SayWhatTheDataSetLacks) {
  using testing::HasSubstr;
  for (const char* name : {"vqa", "classification", "reconstruction", "generation"}) {
    EXPECT_EQ(missing(name, Pairs()), "") << name;
  }
  EXPECT_THAT(missing("vqa", Untested()), HasSubstr("no test questions"));
  EXPECT_THAT(missing("vqa", Wordless()), HasSubstr("no test questions"));
  EXPECT_THAT(missing("reconstruction", Untested()), HasSubstr("no test images"));
  EXPECT_EQ(missing("reconstruction", Wordless()), "");
  EXPECT_THAT(missing("classification", Untested()), HasSubstr("no test image is captioned"));
  EXPECT_THAT(missing("classification", Wordless()), HasSubstr("no test image is captioned"));
  EXPECT_EQ(missing("generation", Sentences()), "");
  EXPECT_THAT(missing("generation", Pairs(), {{"images_seen", std::int64_t{0}}, {"images_held_out", std::int64_t{0}}}),
              HasSubstr("images_held_out"));

  class Silent : public Pairs {
   public:
    std::vector<std::string> classes() const override { return {}; }
    std::vector<Prompt> prompts() const override { return {}; }
  };
  EXPECT_THAT(missing("classification", Silent()), HasSubstr("no classes"));
  EXPECT_THAT(missing("generation", Silent()), HasSubstr("no prompts"));
}

}  // namespace
}  // namespace blip3u::eval
