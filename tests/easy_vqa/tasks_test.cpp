// The tasks, loaded as a plugin and given a model whose answers are known.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "blip3u/dataset.h"
#include "blip3u/error.h"
#include "blip3u/image.h"
#include "blip3u/model.h"
#include "blip3u/task.h"
#include "components.h"
#include "easy_vqa/shape_pictures.h"
#include "easy_vqa/shapes.h"
#include "eval/statistics.h"
#include "evaluating/evaluate.h"
#include "temporary_folder.h"

namespace blip3u::easy_vqa {
namespace {

using eval::exact_interval;
using eval::Interval;

ColouredShape pair(std::size_t i) { return {i / shapes.size() % colours.size(), i % shapes.size()}; }

std::string caption(std::size_t i) { return "a " + to_text(pair(i)); }

/// 24 test and 24 training images, one of each pair, each with a caption and two questions; every sixth is held out.
class Pairs : public Dataset, public Indexed, public Classes {
 public:
  std::vector<Chapter> chapters(Split split) const override { return {{"pairs", samples(split)}}; }
  std::unique_ptr<Reader> open(Split split, std::int64_t) const override { return read_in_order(*this, split); }
  std::string fingerprint() const override { return "pairs"; }
  std::vector<std::string> classes() const override {
    std::vector<std::string> captions;
    for (std::size_t i = 0; i < 24; ++i) captions.push_back(caption(i));
    return captions;
  }
  std::int64_t samples(Split) const override { return 72; }
  Sample sample(Split, std::int64_t index) const override {
    const auto i = static_cast<std::size_t>(index / 3);
    Sample sample;
    sample.id = std::to_string(index);
    sample.images = {to_bytes(draw(pair(i)))};
    sample.captions = {caption(i)};
    sample.labels = {{"image", std::to_string(i)}, {"class", caption(i)}, {"held_out", i % 6 == 0 ? "yes" : "no"}};
    const auto ask = [&](const char* question, const char* answer, const char* kind) {
      sample.messages = {{Role::user, {image_part(0), text_part(question)}}, {Role::assistant, {text_part(answer, 1)}}};
      sample.labels.emplace_back("kind", kind);
    };
    if (index % 3 == 0) {
      sample.messages = {{Role::user, {text_part(caption(i))}}, {Role::assistant, {image_part(0, 1)}}};
    } else if (index % 3 == 1) {
      ask("what color is the shape?", colours[pair(i).colour], "colour");
    } else {
      ask("is there a circle?", pair(i).shape == 0 ? "yes" : "no", "yes_no");
    }
    return sample;
  }
};

/// Pairs of whose first image nothing is known.
class FirstUnknown : public Pairs {
 public:
  Sample sample(Split split, std::int64_t index) const override {
    Sample sample = Pairs::sample(split, index);
    if (index / 3 == 0) sample.labels = {{"image", "0"}, {"kind", "yes_no"}};
    return sample;
  }
};

/// Images of which nothing is known.
class Wordless : public Pairs {
 public:
  std::vector<std::string> classes() const override { return {}; }
  Sample sample(Split split, std::int64_t index) const override {
    Sample sample = Pairs::sample(split, index);
    sample.messages = {{Role::user, {image_part(0)}}};
    sample.captions.clear();
    sample.labels = {{"image", std::to_string(index / 3)}};
    return sample;
  }
};

/// Training images alone.
class Untested : public Pairs {
 public:
  std::int64_t samples(Split split) const override { return split == Split::train ? 72 : 0; }
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
  Tensor embed_images(const Tensor&) override { throw Error("no task asks for it"); }
  Tensor embed_texts(const std::vector<std::string>&) override { throw Error("no task asks for it"); }
  std::vector<double> log_likelihood(std::span<const Request>, const std::vector<std::string>&) override {
    throw Error("no task asks for it");
  }
  std::vector<Reply> respond(std::span<const Request> requests, const Events& events) override {
    std::vector<Reply> replies;
    for (const Request& request : requests) {
      const std::string& text = request.messages.back().content.back().text;
      Reply reply{.message = {Role::assistant, {}}};
      if (request.want == Want::image) {
        reply.images = {make(text)};
        reply.message.content = {image_part(0)};
        ++generated[text];
        seeds.insert(request.seed);
      } else {
        reply.message.content = {text_part(answer(request.images.at(0), text))};
      }
      if (events.finished) events.finished(replies.size(), reply);
      replies.push_back(std::move(reply));
    }
    return replies;
  }
  std::string answer(const Tensor& image, const std::string& question) const {
    const auto found = *read_shape(image, ShapeProtocol::coverage).found;
    if (question.starts_with("what")) return always_red ? "red" : colours[found.colour];
    return found.shape == 0 ? " Yes." : "no";
  }
  Tensor make(const std::string& prompt) const {
    auto what = *parse_coloured_shape(prompt);
    if (always_red) what.colour = 0;
    return draw(what);
  }
  Tensor reconstruct(const Tensor& images, const std::vector<std::uint64_t>&) override {
    return always_red ? at::full_like(images, 0.8) : images.clone();
  }

  bool always_red = false;
  std::map<std::string, int> generated;
  std::set<std::uint64_t> seeds;
};

TaskResult run(const std::string& name, Model& model, const Dataset& dataset, const Overrides& changes = {}) {
  const TemporaryFolder folder("blip3u-tasks");
  const Dataset* const all = &dataset;
  return evaluate(*make<Task>(Kind::task, name, changes), model, {{&all, 1}, 64}, 5, folder / "replies", {});
}

std::string missing(const std::string& name, const Dataset& dataset, const Overrides& changes = {}) {
  const Dataset* const all = &dataset;
  return make<Task>(Kind::task, name, changes)->missing_for({{&all, 1}, 64});
}

const Score& score(const TaskResult& result, const std::string& name) {
  for (const auto& found : result.scores) {
    if (found.name == name) return found;
  }
  throw Error("there is no score " + name);
}

std::size_t pictures(const TaskResult& result) {
  std::size_t count = 0;
  for (const ItemRecord& record : result.records) count += record.images.size();
  return count;
}

TEST(Vqa, CountsExactMatches) {
  Oracle model;
  const auto perfect = run("tasks/vqa", model, Pairs());
  EXPECT_EQ(score(perfect, "vqa").value, 1.0);
  EXPECT_EQ(score(perfect, "vqa").count, 48);
  EXPECT_EQ(score(perfect, "vqa").protocol, "exact_match@1");
  model.always_red = true;
  const auto worse = run("tasks/vqa", model, Pairs());
  EXPECT_DOUBLE_EQ(score(worse, "vqa/colour").value, 3.0 / 24);
  EXPECT_EQ(score(worse, "vqa/yes_no").value, 1.0);
  EXPECT_DOUBLE_EQ(score(worse, "vqa").value, 27.0 / 48);
  EXPECT_EQ(worse.records.size(), 48U);
}

TEST(Vqa, LearnsTheBlindMajorityFromTrainingQuestions) {
  Oracle model;
  const auto result = run("tasks/vqa", model, Pairs());
  // "no" is right for 16 of 24, and any one colour for 3 of 24.
  EXPECT_DOUBLE_EQ(score(result, "vqa/blind_majority").value, 19.0 / 48);
  EXPECT_TRUE(score(result, "vqa/blind_majority").reference);
}

TEST(Vqa, CanBeCutShort) {
  Oracle model;
  EXPECT_EQ(score(run("tasks/vqa", model, Pairs(), {{"questions", std::int64_t{10}}}), "vqa").count, 10);
}

TEST(Classification, CountsTheRightClasses) {
  Oracle model;
  EXPECT_EQ(score(run("tasks/classification", model, Pairs()), "classification").value, 1.0);
  model.always_red = true;
  const auto result = run("tasks/classification", model, Pairs());
  EXPECT_DOUBLE_EQ(score(result, "classification").value, 3.0 / 24);
  EXPECT_DOUBLE_EQ(score(result, "classification/most_frequent_class").value, 1.0 / 24);
}

TEST(Classification, LeavesOutImagesOfUnknownClass) {
  Oracle model;
  const auto result = run("tasks/classification", model, FirstUnknown());
  EXPECT_EQ(score(result, "classification").count, 23);
  EXPECT_EQ(score(result, "classification").value, 1.0);
}

TEST(Reconstruction, ScoresShapesAndPixels) {
  Oracle model;
  const auto perfect = run("easy_vqa/reconstruction", model, Pairs());
  EXPECT_EQ(score(perfect, "reconstruction").value, 1.0);
  EXPECT_EQ(score(perfect, "reconstruction/scorer_on_real").value, 1.0);
  EXPECT_EQ(score(perfect, "reconstruction/absolute_error").value, 0.0);
  EXPECT_FALSE(score(perfect, "reconstruction/absolute_error").higher_is_better);
  EXPECT_EQ(pictures(perfect), 12U);
  model.always_red = true;
  const auto empty = run("easy_vqa/reconstruction", model, Pairs());
  EXPECT_EQ(score(empty, "reconstruction").value, 0.0);
  EXPECT_EQ(score(empty, "reconstruction/scorer_on_real").value, 1.0);
  EXPECT_GT(score(empty, "reconstruction/absolute_error").value, 0.0);
}

TEST(Reconstruction, LeavesOutImagesOfUnknownShape) {
  Oracle model;
  const auto result = run("easy_vqa/reconstruction", model, FirstUnknown());
  EXPECT_EQ(score(result, "reconstruction").count, 23);
  EXPECT_EQ(score(result, "reconstruction/scorer_on_real").count, 23);
  EXPECT_EQ(score(result, "reconstruction/absolute_error").count, 23);
}

TEST(Reconstruction, OfAnythingComparesPixels) {
  Oracle model;
  model.always_red = true;  // which decodes every image to one grey
  const Wordless wordless;
  double expected = 0;
  for (std::int64_t i = 0; i < 24; ++i) {
    const Tensor real = from_bytes(wordless.sample(Split::test, 3 * i).images[0]);
    expected += (real - from_bytes(to_bytes(at::full({1}, 0.8)))).abs().mean().item<double>() / 2 / 24;
  }
  const auto result = run("tasks/reconstruction", model, wordless);
  ASSERT_EQ(result.scores.size(), 1U);
  EXPECT_EQ(result.scores[0].name, "reconstruction/absolute_error");
  EXPECT_EQ(result.scores[0].count, 24);
  EXPECT_NEAR(result.scores[0].value, expected, 1e-5);
}

TEST(Generation, ScoresSeenAndHeldOutApart) {
  Oracle model;
  const auto result = run("easy_vqa/generation", model, Pairs(),
                          {{"images_seen", std::int64_t{100}}, {"images_held_out", std::int64_t{40}}});
  EXPECT_EQ(score(result, "generation/seen").value, 1.0);
  EXPECT_EQ(score(result, "generation/seen").count, 100);
  EXPECT_EQ(score(result, "generation/held_out").count, 40);
  EXPECT_EQ(score(result, "generation/scorer_on_real").value, 1.0);
  EXPECT_LT(score(result, "generation/seen_shuffled").value, 0.2);
  EXPECT_TRUE(score(result, "generation/seen_shuffled").reference);
  EXPECT_EQ(score(result, "generation/diversity").value, 0.0);  // the oracle ignores its seeds
  EXPECT_EQ(model.seeds.size(), 140U) << "each picture has a seed of its own";
}

TEST(Generation, DrawsAtLeastAsManyAsAskedFor) {
  Oracle model;
  const auto result = run("easy_vqa/generation", model, Pairs(),
                          {{"images_seen", std::int64_t{41}}, {"images_held_out", std::int64_t{0}}});
  EXPECT_EQ(score(result, "generation/seen").count, 60);  // 20 prompts, three each
  EXPECT_THROW(score(result, "generation/held_out"), Error);
}

TEST(Generation, SeesWrongColours) {
  Oracle model;
  model.always_red = true;
  const auto result = run("easy_vqa/generation", model, Pairs(),
                          {{"images_seen", std::int64_t{20}}, {"images_held_out", std::int64_t{4}}});
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
    const auto result =
        run("easy_vqa/generation", model, Pairs(), {{"images_seen", 20 * each}, {"images_held_out", 4 * each}});
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
  const auto result = run("easy_vqa/generation", model, Pairs(),
                          {{"images_seen", std::int64_t{20}}, {"images_held_out", std::int64_t{40}}});
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

TEST(Generation, OfAnythingShowsPictures) {
  Oracle model;
  const auto result =
      run("tasks/generation", model, Pairs(), {{"prompts", std::int64_t{3}}, {"images", std::int64_t{2}}});
  ASSERT_EQ(result.scores.size(), 1U);
  EXPECT_EQ(result.scores[0].name, "generation/diversity");
  EXPECT_EQ(result.scores[0].value, 0) << "two pictures of a prompt are alike";
  EXPECT_EQ(pictures(result), 6U);
  EXPECT_EQ(model.generated, (std::map<std::string, int>{{caption(0), 2}, {caption(1), 2}, {caption(2), 2}}));
}

TEST(Tasks, SayWhatTheDataSetLacks) {
  using testing::HasSubstr;
  for (const char* name : {"tasks/vqa", "tasks/classification", "tasks/reconstruction", "tasks/generation",
                           "easy_vqa/reconstruction", "easy_vqa/generation"}) {
    EXPECT_EQ(missing(name, Pairs()), "") << name;
    EXPECT_NE(missing(name, Untested()), "") << name;
  }
  EXPECT_THAT(missing("tasks/vqa", Wordless()), HasSubstr("no test questions"));
  EXPECT_THAT(missing("tasks/reconstruction", Untested()), HasSubstr("no test images"));
  EXPECT_EQ(missing("tasks/reconstruction", Wordless()), "");
  EXPECT_THAT(missing("easy_vqa/reconstruction", Wordless()), HasSubstr("colour and shape"));
  EXPECT_THAT(missing("tasks/classification", Wordless()), HasSubstr("no test image is labelled"));
  EXPECT_THAT(missing("tasks/generation", Wordless()), HasSubstr("no test image has a caption"));
  EXPECT_THAT(
      missing("easy_vqa/generation", Pairs(), {{"images_seen", std::int64_t{0}}, {"images_held_out", std::int64_t{0}}}),
      HasSubstr("images_held_out"));
}

}  // namespace
}  // namespace blip3u::easy_vqa
