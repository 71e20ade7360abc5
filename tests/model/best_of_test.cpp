#include "model/best_of.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "blip3u/random.h"
#include "message_of.h"

namespace blip3u::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Likes pictures by their first pixel: as it is by similarity, as far from a half by likelihood.
class Fake final : public Model {
 public:
  Fake(std::string unlike, std::string mute) : unlike_(std::move(unlike)), mute_(std::move(mute)) {}

  std::string missing_for(Ability ability) const override { return ability == Ability::classify ? unlike_ : mute_; }
  Tensor classify(const Tensor& images, const std::vector<std::string>& captions) override {
    EXPECT_THAT(captions, ElementsAre("a red circle"));
    return images.select(3, 0).select(2, 0).select(1, 0).unsqueeze(1);
  }
  Tensor embed_images(const Tensor&) override { throw Error("not asked for"); }
  Tensor embed_texts(const std::vector<std::string>&) override { throw Error("not asked for"); }
  /// The picture of a request is what its seed was told to be.
  std::vector<Reply> respond(std::span<const Request> requests, const Events&) override {
    std::vector<Reply> replies;
    for (const Request& request : requests) {
      asked.push_back(request.seed);
      Reply& reply = replies.emplace_back();
      const auto known = values.find(request.seed);
      if (known == values.end()) continue;  // says nothing
      reply.images = {at::full({3, 4, 4}, known->second)};
    }
    return replies;
  }
  std::map<std::uint64_t, double> values;
  std::vector<std::uint64_t> asked;
  std::vector<double> log_likelihood(std::span<const Request> requests,
                                     const std::vector<std::string>& replies) override {
    std::vector<double> values;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      EXPECT_EQ(replies[i], "a red circle");
      EXPECT_EQ(requests[i].messages.size(), 1U);
      EXPECT_EQ(requests[i].messages[0].content.at(0).image, 0);
      values.push_back(-std::abs(requests[i].images.at(0)[0][0][0].item<double>() - 0.5));
    }
    return values;
  }
  Tensor reconstruct(const Tensor&, const std::vector<std::uint64_t>&) override { throw Error("not asked for"); }

 private:
  std::string unlike_, mute_;
};

std::vector<Tensor> pictures() {
  std::vector<Tensor> result;
  for (const double value : {-0.5, 0.75, 0.5, 1.0, 1.0}) result.push_back(at::full({3, 4, 4}, value));
  return result;
}

TEST(BestOf, IsTheFirstOfThoseThatTheJudgeLikesBest) {
  Fake model("", "");
  EXPECT_THAT(judged(model, Judge::similarity, pictures(), "a red circle"), ElementsAre(-0.5, 0.75, 0.5, 1.0, 1.0));
  EXPECT_EQ(best_of(model, Judge::similarity, pictures(), "a red circle"), 3U);
  EXPECT_THAT(judged(model, Judge::likelihood, pictures(), "a red circle"), ElementsAre(-1.0, -0.25, 0.0, -0.5, -0.5));
  EXPECT_EQ(best_of(model, Judge::likelihood, pictures(), "a red circle"), 2U);
}

TEST(BestOf, RepliesThatArePicturesOfPromptsAreChosen) {
  Fake model("", "");
  const auto derived = [](std::uint64_t seed, std::uint64_t k) { return derive_seed(seed, k); };
  model.values = {{1, 0.2}, {derived(1, 1), 0.9}, {derived(1, 2), 0.4}, {2, 0.1}, {3, 0.3}, {derived(3, 1), 0.7}};
  const auto request = [](std::uint64_t seed, Want want) {
    return Request{.messages = {{Role::user, {text_part("a red circle")}}}, .images = {}, .want = want, .seed = seed};
  };
  Request edit = request(2, Want::image);
  edit.images = {at::zeros({3, 4, 4})};
  const std::vector<Request> requests = {request(1, Want::image), edit, request(2, Want::any), request(3, Want::image)};
  const std::vector<Reply> replies = best_replies(model, {.judge = Judge::similarity, .of = 3}, requests);
  ASSERT_EQ(replies.size(), 4U);
  const auto value = [&](std::size_t i) { return replies[i].images.at(0)[0][0][0].item<float>(); };
  EXPECT_EQ(value(0), 0.9F);
  EXPECT_EQ(value(1), 0.1F);  // what changes a picture does not describe one
  EXPECT_EQ(value(2), 0.1F);
  EXPECT_EQ(value(3), 0.3F);  // one of the three made no picture: the first is taken
  EXPECT_EQ(model.asked,
            (std::vector<std::uint64_t>{1, derived(1, 1), derived(1, 2), 2, 2, 3, derived(3, 1), derived(3, 2)}));
}

TEST(BestOf, TheModelJudgesAsItCan) {
  EXPECT_EQ(judge_for(Fake("", ""), std::nullopt), Judge::similarity);
  EXPECT_EQ(judge_for(Fake("", ""), Judge::likelihood), Judge::likelihood);
  EXPECT_EQ(judge_for(Fake("no text side", ""), std::nullopt), Judge::likelihood);
  EXPECT_EQ(judge_for(Fake("", "no backbone"), std::nullopt), Judge::similarity);
  const auto refusal = [](const Model& model, std::optional<Judge> wanted) {
    return message_of([&] { judge_for(model, wanted); });
  };
  EXPECT_THAT(refusal(Fake("no text side", ""), Judge::similarity), HasSubstr("cannot judge pictures: no text side; "));
  EXPECT_THAT(refusal(Fake("", "no backbone"), Judge::likelihood), HasSubstr("cannot judge pictures: no backbone; "));
  EXPECT_THAT(refusal(Fake("no text side", "no backbone"), std::nullopt), HasSubstr("no text side; "));
  EXPECT_EQ(judge_called("likelihood"), Judge::likelihood);
  EXPECT_EQ(judge_called("taste"), std::nullopt);
}

}  // namespace
}  // namespace blip3u::testing
