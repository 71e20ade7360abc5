// A dialogue of four turns in which the model made two pictures, reasoning before a picture, two encoders with unlike
// token counts, and pictures of another size in each row: all read by the one piece of code that training and use
// share.
#include "model/reader.h"
#include "plugins_language/support.h"

namespace blip3u::testing {
namespace {

Span words(std::vector<std::int64_t> ids, float weight = 0) { return {std::move(ids), -1, weight}; }
Span picture(std::int64_t image, float weight = 0) { return {{}, image, weight}; }

Tensor state_after(Backbone& gpt, const std::vector<std::vector<Span>>& stretches, const SeenPictures& pictures) {
  const auto session = gpt.begin(1);
  Tensor state;
  for (const auto& stretch : stretches) {
    state = read_spans(gpt, at::kCPU, *session, {stretch}, pictures, state, Purpose::context).state;
  }
  return state;
}

TEST(Dialogue, FourTurnsWithTwoMadePicturesInOnePassEqualTheirPieces) {
  const torch::NoGradGuard no_gradient;
  const auto gpt = small_gpt();
  randomize(*gpt, 2);
  const SeenPictures pictures{Visual{normal({16, 6}, 3), {}}};
  const std::vector<Span> whole{words({1, 4, 5, 2}),  picture(0, 1),    words({2}),           // draw
                                picture(1),           words({1, 6, 2}), words({7, 8, 2}, 1),  // what is this
                                words({1, 9, 10, 2}), picture(2, 1),    words({2}),           // change the first
                                words({1, 11, 2}),    words({12, 2}, 1)};                     // how many
  const auto pieces = cut_at_made_pictures(whole);
  ASSERT_EQ(pieces.size(), 3U);
  const Tensor state = state_after(*gpt, {whole}, pictures);
  EXPECT_LT(largest_difference(state, state_after(*gpt, pieces, pictures)), 1e-5);
  SeenPictures other = pictures;
  other[0].x = other[0].x.clone();
  other[0].x[0] += 1;
  EXPECT_GT(largest_difference(state, state_after(*gpt, pieces, other)), 1e-4) << "the first picture is not seen later";
}

// The reasoning is learned as text, and what it says reaches the picture.
TEST(Reasoning, TextBeforeAPictureIsLearnedAndSeen) {
  const auto gpt = small_gpt();
  std::vector<Tensor> weights;
  for (const NamedTensor& weight : gpt->weights()) weights.push_back(weight.value);
  torch::optim::Adam optimizer(weights, torch::optim::AdamOptions(1e-2));
  const std::vector<std::vector<Span>> before{{words({1, 4, 2}), words({6, 7, 8}, 1)},
                                              {words({1, 5, 2}), words({9, 7, 10}, 1)}};
  const auto loss = [&] {
    const auto session = gpt->begin(2);
    const Loss text = text_loss(read_spans(*gpt, at::kCPU, *session, before, {}, {}, Purpose::learn));
    return text.sum / text.count;
  };
  const double first = loss().item<double>();
  for (int step = 0; step < 30; ++step) {
    optimizer.zero_grad();
    loss().backward();
    optimizer.step();
  }
  EXPECT_LT(loss().item<double>(), 0.2 * first);
  const torch::NoGradGuard no_gradient;
  const Tensor told = state_after(*gpt, {{words({1, 4, 2}), words({6, 7, 8})}}, {});
  EXPECT_GT(largest_difference(told, state_after(*gpt, {{words({1, 4, 2}), words({9, 7, 10})}}, {})), 1e-3);
}

TEST(TwoEncoders, APictureIsReadByBothInTheirOrder) {
  const torch::NoGradGuard no_gradient;
  BuildContext context = small_context();
  context.wiring.reads = {make_layout(16, 6), make_layout(4, 10)};
  const auto gpt =
      make<Backbone>(Kind::backbone, "gpt",
                     {{"width", std::int64_t{32}}, {"layers", std::int64_t{2}}, {"hidden", std::int64_t{48}}}, context);
  randomize(*gpt, 2);
  SeenPictures seen{Visual{normal({16, 6}, 2, 1), {}}, Visual{normal({4, 10}, 2, 2), {}}};
  seen[1].source = 1;
  const std::vector<Span> row{picture(1), words({1, 5, 2})};
  const auto session = gpt->begin(1);
  read_spans(*gpt, at::kCPU, *session, {row}, seen, {}, Purpose::context);
  EXPECT_EQ(session->length(), 16 + 4 + 3);
  const Tensor state = state_after(*gpt, {row}, seen);
  for (std::size_t encoder = 0; encoder < 2; ++encoder) {
    SeenPictures other = seen;
    other[encoder].x = other[encoder].x.flip(0);
    EXPECT_GT(largest_difference(state, state_after(*gpt, {row}, other)), 1e-4) << "encoder " << encoder;
  }
}

TEST(PicturesOfAnySize, ARowWithAnotherGridIsReadAsIfAlone) {
  const torch::NoGradGuard no_gradient;
  BuildContext context = small_context();
  context.wiring.features.ragged = true;
  context.wiring.reads = {context.wiring.features};
  const auto gpt =
      make<Backbone>(Kind::backbone, "gpt",
                     {{"width", std::int64_t{32}}, {"layers", std::int64_t{2}}, {"hidden", std::int64_t{48}}}, context);
  randomize(*gpt, 2);
  Visual large{normal({16, 6}, 1, 1), {}}, small{normal({6, 6}, 1, 2), {}};
  large.grids = {{4, 4}};
  small.grids = {{2, 3}};
  Visual both{at::cat({large.x, at::constant_pad_nd(small.x, {0, 0, 0, 10})}), {}};
  both.valid = at::ones({2, 16}, at::kBool);
  both.valid[1].slice(0, 6).fill_(false);
  both.grids = {{4, 4}, {2, 3}};
  const std::vector<Span> question = {words({1, 5, 2})};
  const auto session = gpt->begin(2);
  const Tensor together = read_spans(*gpt, at::kCPU, *session, {{picture(0), question[0]}, {picture(1), question[0]}},
                                     {both}, {}, Purpose::context)
                              .state;
  EXPECT_LT(largest_difference(together[0], state_after(*gpt, {{picture(0), question[0]}}, {large})[0]), 1e-5);
  EXPECT_LT(largest_difference(together[1], state_after(*gpt, {{picture(0), question[0]}}, {small})[0]), 1e-5);
}

}  // namespace
}  // namespace blip3u::testing
