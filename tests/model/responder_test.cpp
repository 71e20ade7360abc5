// Requests to a whole pipeline of real plugins with random weights: what is tested is what does not depend on training.
#include <algorithm>
#include <fstream>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "blip3u/request.h"
#include "components.h"
#include "message_of.h"
#include "pipeline/pipeline.h"
#include "plugins_language/support.h"
#include "recipe/recipe.h"
#include "temporary_folder.h"
#include "tiny_parts.h"

namespace blip3u::testing {
namespace {

using ::testing::HasSubstr;

const std::string recipe_text = R"(name: tiny
data: {plugin: image_folder, path: pictures, image_size: 32}
tokenizer: words
pipeline:)" + std::string(tiny_parts) +
                                R"(  sampler: {plugin: flow_matching, steps: 4}
  guidance: {plugin: cfg, scale: 2}
training:
  - {name: all, objective: conversation, train: [backbone, denoiser], steps: 1}
  - {name: encoder, objective: encoder, train: [encoder], steps: 1}
  - {name: decoder, objective: decoder, train: [decoder], steps: 1}
)";

class ResponderTest : public ::testing::Test {
 protected:
  ResponderTest() {
    std::ofstream(folder_ / "tiny.yaml") << recipe_text;
    static Registry registry({BLIP3U_PLUGIN_FOLDER});
    const Recipe recipe = load_recipe(folder_ / "tiny.yaml", {}, registry);
    auto tokenizer = make<Tokenizer>(Kind::tokenizer, "words");
    dynamic_cast<LearnsVocabulary&>(*tokenizer).fit({"draw a red circle", "what is it", "one two three four five"});
    pipeline_ = std::make_unique<Pipeline>(recipe, std::move(tokenizer), at::kCPU);
    for (const char* role : {"encoder", "backbone", "denoiser", "decoder"}) randomize(*pipeline_->part(role), 5);
  }

  static Request ask(const std::string& text, Want want = Want::text, std::uint64_t seed = 1) {
    return {.messages = {{Role::user, {text_part(text)}}},
            .want = want,
            .seed = seed,
            .text = {.temperature = 1, .longest = 12}};
  }
  static Request ask_about(const Tensor& image, const std::string& text) {
    Request request = ask(text);
    request.images = {image};
    request.messages[0].content.insert(request.messages[0].content.begin(), image_part(0));
    return request;
  }
  Reply one(const Request& request, const Events& events = {}) {
    return pipeline_->respond(std::span(&request, 1), events).front();
  }
  static std::string text_of(const Reply& reply) {
    std::string text;
    for (const Part& part : reply.message.content) {
      text += part.type == Part::Type::text ? part.text : "<" + std::to_string(part.image) + ">";
    }
    return text;
  }

  const TemporaryFolder folder_{"blip3u-responder"};
  std::unique_ptr<Pipeline> pipeline_;
};

Tensor picture(std::uint64_t seed, std::int64_t height = 32, std::int64_t width = 32) {
  return normal({3, height, width}, 1, seed)[0].clamp(-1, 1);
}

TEST_F(ResponderTest, ARequestIsAnsweredTheSameInAnyCompany) {
  const std::vector<Request> requests{ask("draw a red circle", Want::image, 7),    ask("what is it"),
                                      ask_about(picture(1), "what is it"),         ask("one two", Want::any, 3),
                                      ask_about(picture(2, 40, 20), "three four"), ask("five", Want::image, 9)};
  const auto together = pipeline_->respond(requests, {});
  ASSERT_EQ(together.size(), requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Reply alone = one(requests[i]);
    EXPECT_EQ(text_of(together[i]), text_of(alone)) << i;
    EXPECT_EQ(together[i].end, alone.end) << i;
    ASSERT_EQ(together[i].images.size(), alone.images.size()) << i;
    for (std::size_t k = 0; k < alone.images.size(); ++k) {
      EXPECT_LT(largest_difference(together[i].images[k], alone.images[k]), 1e-3) << i;
    }
  }
}

TEST_F(ResponderTest, APictureDependsOnItsPromptAndItsSeed) {
  const Tensor image = one(ask("draw a red circle", Want::image, 7)).images.at(0);
  EXPECT_EQ(image.sizes(), (at::IntArrayRef{3, 32, 32}));
  EXPECT_TRUE(at::equal(image, one(ask("draw a red circle", Want::image, 7)).images.at(0)));
  EXPECT_GT(largest_difference(image, one(ask("draw a red circle", Want::image, 8)).images.at(0)), 1e-3);
  EXPECT_GT(largest_difference(image, one(ask("what is it", Want::image, 7)).images.at(0)), 1e-4);
}

// Beside the backbone asked word by word.
TEST_F(ResponderTest, LikelihoodsAreThoseOfTheWordsOneByOne) {
  const std::vector<std::string> replies{"one two", "", "five four three two one", "red"};
  const std::vector<Request> requests(replies.size(), ask("what is it"));
  const std::vector<double> values = pipeline_->log_likelihood(requests, replies);
  const Tokenizer& tokenizer = pipeline_->tokenizer();
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < replies.size(); ++i) {
    const auto read = tokenizer.render(requests[i].messages, /*open_reply=*/true);
    std::vector<std::int64_t> ids;
    for (const Span& span : read) ids.insert(ids.end(), span.ids.begin(), span.ids.end());
    std::vector<std::int64_t> words = tokenizer.encode(replies[i]);
    words.push_back(tokenizer.frame().end);
    const auto session = pipeline_->backbone().begin(1);
    Tensor state;
    const auto append = [&](std::int64_t id) {
      state = session->append({.embeds = pipeline_->backbone().embed(at::full({1, 1}, id, at::kLong))});
    };
    for (const std::int64_t id : ids) append(id);
    double sum = 0;
    for (const std::int64_t word : words) {
      sum += at::log_softmax(pipeline_->backbone().logits(state), -1)[0][0][word].item<double>();
      append(word);
    }
    EXPECT_NEAR(values[i], sum, 1e-4) << replies[i];
  }
  EXPECT_THAT(message_of([&] { pipeline_->log_likelihood(requests, {"one"}); }),
              HasSubstr("4 requests, but 1 replies"));
}

TEST_F(ResponderTest, SimilaritiesAreThoseOfTheEmbeddings) {
  const Tensor images = at::stack({picture(1), picture(2)});
  const std::vector<std::string> captions{"draw a red circle", "one", "what is it"};
  const Tensor texts = pipeline_->embed_texts(captions), seen = pipeline_->embed_images(images);
  EXPECT_LT(largest_difference(texts.norm(2, 1), at::ones({3})), 1e-5);
  EXPECT_LT(largest_difference(seen.norm(2, 1), at::ones({2})), 1e-5);
  EXPECT_LT(largest_difference(pipeline_->classify(images, captions), seen.matmul(texts.t())), 1e-6);
}

TEST_F(ResponderTest, OnlyThePartsThatAreAskedForAreBuilt) {
  for (const auto& [ability, built] :
       std::map<Model::Ability, std::vector<std::string>>{{Model::Ability::classify, {"encoder"}},
                                                          {Model::Ability::answer, {"encoder", "backbone"}},
                                                          {Model::Ability::reconstruct, {"encoder", "decoder"}}}) {
    const Pipeline part(pipeline_->recipe(), make<Tokenizer>(Kind::tokenizer, "words"), at::kCPU,
                        Pipeline::parts_for(pipeline_->recipe().pipeline, ability));
    for (const char* role : {"encoder", "backbone", "denoiser", "sampler", "guidance", "decoder"}) {
      EXPECT_EQ(part.part(role) != nullptr, std::ranges::find(built, role) != built.end()) << role;
    }
    EXPECT_EQ(part.missing_for(ability), "");
  }
}

TEST_F(ResponderTest, PiecesOfTextAreTheReply) {
  std::string told;
  std::size_t finished = 0;
  Events events;
  events.text = [&](std::size_t, std::string_view piece) { told += piece; };
  events.finished = [&](std::size_t, const Reply&) { ++finished; };
  Request request = ask("what is it");
  request.text.temperature = 3;  // so that the reply is long
  const Reply reply = one(request, events);
  EXPECT_EQ(told, text_of(reply));
  EXPECT_EQ(finished, 1U);
}

TEST_F(ResponderTest, ATextEndsAtItsLimitAndAtStops) {
  Request request = ask("what is it");
  request.text = {.temperature = 3, .longest = 3};
  const std::string limited = text_of(one(request));
  EXPECT_LE(std::ranges::count(limited, ' '), 2);
  if (limited.size() > 3) {
    request.text.stops = {limited.substr(1, 2)};
    const Reply stopped = one(request);
    EXPECT_EQ(text_of(stopped), limited.substr(0, 1));
    EXPECT_EQ(stopped.end, Reply::End::stop);
  }
}

TEST_F(ResponderTest, LaterTurnsSeeAPictureThatWasMade) {
  const Tensor made = one(ask("draw a red circle", Want::image, 7)).images.at(0);
  const auto about = [&](const Tensor& image) {
    Request request{.messages = {{Role::user, {text_part("draw a red circle")}},
                                 {Role::assistant, {image_part(0)}},
                                 {Role::user, {text_part("one two")}}},
                    .images = {image},
                    .want = Want::image,
                    .seed = 4};
    return one(request).images.at(0);
  };
  EXPECT_TRUE(at::equal(about(made), about(made)));
  EXPECT_GT(largest_difference(about(made), about(picture(3))), 1e-4);
}

TEST_F(ResponderTest, PreviewsComeEverySoManySteps) {
  std::vector<std::int64_t> steps;
  Events events;
  events.preview = [&](std::size_t, std::int64_t step, std::int64_t total, const Tensor& image) {
    if (total != 4) return;  // of the decoder's own steps
    steps.push_back(step);
    EXPECT_EQ(image.sizes(), (at::IntArrayRef{3, 32, 32}));
  };
  Request request = ask("draw a red circle", Want::image);
  request.image.preview = 2;
  one(request, events);
  EXPECT_EQ(steps, (std::vector<std::int64_t>{2}));
}

TEST_F(ResponderTest, IsCancelledAtAnyStep) {
  for (const Want want : {Want::text, Want::image}) {
    Request request = ask("draw a red circle", want);
    request.text = {.temperature = 3, .longest = 8};
    int asked = 0;
    Events count;
    count.cancelled = [&](std::size_t) { return ++asked, false; };
    one(request, count);
    const int steps = asked;
    EXPECT_GT(steps, 1);
    for (int stop = 1; stop <= steps; ++stop) {
      asked = 0;
      Events events;
      events.cancelled = [&](std::size_t) { return ++asked >= stop; };
      const Reply reply = one(request, events);
      EXPECT_EQ(reply.end, Reply::End::cancelled) << stop;
      EXPECT_LE(asked, stop + 1) << stop;
    }
  }
}

TEST_F(ResponderTest, OneCancelledRequestLeavesTheOthers) {
  const std::vector<Request> requests{ask("what is it"), ask("what is it")};
  Events events;
  events.cancelled = [](std::size_t request) { return request == 0; };
  const auto replies = pipeline_->respond(requests, events);
  EXPECT_EQ(replies[0].end, Reply::End::cancelled);
  EXPECT_EQ(text_of(replies[1]), text_of(one(requests[1])));
}

TEST_F(ResponderTest, RequestsThatDoNotFitAreNamed) {
  Request request = ask("what is it");
  request.text.top_p = 2;
  const std::vector<Request> requests{ask("one"), request};
  EXPECT_THAT(message_of([&] { pipeline_->respond(requests, {}); }), HasSubstr("request 2: top_p must be above 0"));
  Request lost = ask("what is it");
  lost.messages[0].content.push_back(image_part(2));
  EXPECT_THAT(message_of([&] { one(lost); }), HasSubstr("request 1: a part names image 2, but there are 0"));
}

}  // namespace
}  // namespace blip3u::testing
