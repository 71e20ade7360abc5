// The tasks, loaded as a plugin and given a model whose answers are known.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "blip3u/dataset.h"
#include "blip3u/error.h"
#include "blip3u/model.h"
#include "blip3u/random.h"
#include "blip3u/task.h"
#include "eval/shapes.h"
#include "registry/registry.h"
#include "shape_pictures.h"

namespace blip3u::eval {
namespace {

ColouredShape pair(std::size_t i) { return {i / shape_names.size() % shape_colours.size(), i % shape_names.size()}; }

/// 24 test and 24 training images, one of each pair, each with two questions.
class Pairs : public Dataset {
 public:
  Pairs() {
    for (std::size_t i = 0; i < 24; ++i) {
      examples_.push_back({.id = std::to_string(i),
                           .caption = "a " + to_text(pair(i)),
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
    for (const auto& example : examples_) captions.push_back(example.caption);
    return captions;
  }
  std::vector<Prompt> prompts() const override {
    std::vector<Prompt> prompts;
    for (std::size_t i = 0; i < 24; ++i) prompts.push_back({examples_[i].caption, i % 6 == 0});
    return prompts;
  }
  std::string fingerprint() const override { return "pairs"; }

 private:
  std::vector<Example> examples_;
};

/// Does everything right, except for what each test breaks.
class Oracle : public Model {
 public:
  std::string missing_for(Ability) const override { return {}; }

  Tensor classify(const Tensor& images, const std::vector<std::string>& captions) override {
    auto scores = torch::zeros({images.size(0), static_cast<std::int64_t>(captions.size())});
    for (std::int64_t i = 0; i < images.size(0); ++i) {
      auto found = *read_shape(images[i], ShapeProtocol::coverage).found;
      if (always_red) found.colour = 0;
      for (std::size_t c = 0; c < captions.size(); ++c) {
        if (parse_coloured_shape(captions[c]) == found) scores[i][static_cast<std::int64_t>(c)] = 1;
      }
    }
    return scores;
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
      auto what = *parse_coloured_shape(prompt);
      if (always_red) what.colour = 0;
      images.push_back(draw(what));
    }
    generated = prompts;
    generated_seeds = seeds;
    return torch::stack(images);
  }
  Tensor reconstruct(const Tensor& images, const std::vector<std::uint64_t>&) override {
    return always_red ? torch::full_like(images, 0.8) : images.clone();
  }

  bool always_red = false;
  std::vector<std::string> generated;
  std::vector<std::uint64_t> generated_seeds;
};

TaskResult run(const std::string& name, Model& model, const Dataset& dataset,
               const std::map<std::string, ParameterValue>& changes = {}) {
  static Registry registry({BLIP3U_PLUGIN_FOLDER});
  const auto entry = registry.find(Kind::task, "tasks/" + name);
  if (entry.component == nullptr) throw Error("no such task");
  auto parameters = Parameters::defaults(entry.component->parameters);
  for (const auto& [key, value] : changes) parameters.set(key, value);
  const auto component = entry.component->create(parameters, {});
  return dynamic_cast<Task&>(*component).evaluate({.model = model, .dataset = dataset, .seed = 5, .progress = {}});
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

class Sentences : public Pairs {
 public:
  std::vector<Prompt> prompts() const override { return {{"a dog on a lawn", false}}; }
  std::vector<std::string> classes() const override { return {}; }
};

TEST(Tasks, SayWhatTheyCannotJudge) {
  Oracle model;
  try {
    run("generation", model, Sentences());
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("a dog on a lawn"));
    EXPECT_THAT(error.what(), testing::HasSubstr("easy-vqa"));
  }
  EXPECT_THROW(run("classification", model, Sentences()), Error);
}

}  // namespace
}  // namespace blip3u::eval
