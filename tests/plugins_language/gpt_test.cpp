// The backbone: one mask rule, whatever the pieces in which a sequence arrives, and its parameters.
#include "plugins_language/gpt_support.h"

namespace blip3u::testing {
namespace {

TEST(Gpt, CacheEqualsNoCache) {
  const torch::NoGradGuard no_gradient;
  const auto gpt = small_gpt();
  const Tensor whole = sequence(9);
  const Tensor full = in_pieces(*gpt, whole, {9});
  EXPECT_LT(largest_difference(in_pieces(*gpt, whole, {1, 1, 1, 1, 1, 1, 1, 1, 1}), full), rounding);
  EXPECT_LT(largest_difference(in_pieces(*gpt, whole, {4, 3, 2}), full), rounding);
}

TEST(Gpt, OnePassWithMixedGroupsEqualsItsPieces) {
  const torch::NoGradGuard no_gradient;
  const auto gpt = small_gpt();
  // text, a bidirectional image, text, then scales of 1 and 4 tokens
  const std::vector<std::int64_t> groups = {0, 1, 2, 3, 3, 3, 3, 4, 5, 6, 7, 7, 7, 7};
  const Tensor whole = sequence(14);
  const Tensor full = in_pieces(*gpt, whole, {14}, groups);
  EXPECT_LT(largest_difference(in_pieces(*gpt, whole, {3, 4, 2, 1, 4}, groups), full), rounding);
  EXPECT_LT(largest_difference(in_pieces(*gpt, whole, {3, 6, 5}, groups), full), rounding);
  EXPECT_GT(largest_difference(in_pieces(*gpt, whole, {14}), full), 1e-2) << "groups make no difference";
}

TEST(Gpt, GradientThroughTheCacheEqualsThatOfTheFullPass) {
  const auto gpt = small_gpt();
  const std::vector<std::int64_t> groups = {0, 1, 2, 2, 2, 3, 4};
  const Tensor target = sequence(7, 2, 5);
  const auto gradients = [&](const std::vector<std::int64_t>& lengths) {
    const Tensor whole = sequence(7).requires_grad_();
    std::vector<Tensor> inputs{whole};
    for (const NamedTensor& weight : gpt->weights()) {
      if (weight.name.starts_with("experts.")) inputs.push_back(weight.value);
    }
    return torch::autograd::grad({(in_pieces(*gpt, whole, lengths, groups) * target).sum()}, inputs);
  };
  const auto full = gradients({7}), pieces = gradients({2, 3, 1, 1});
  for (std::size_t i = 0; i < full.size(); ++i) {
    EXPECT_GT(full[i].abs().max().item<double>(), 0.0);
    EXPECT_LT(largest_difference(full[i], pieces[i]), 1e-5 * (1 + full[i].abs().max().item<double>()));
  }
}

TEST(Gpt, TheFutureNeverLeaks) {
  const torch::NoGradGuard no_gradient;
  const auto gpt = small_gpt();
  const std::vector<std::int64_t> groups = {0, 1, 2, 2, 2, 3};
  const Tensor whole = sequence(6);
  for (std::int64_t changed = 0; changed < 6; ++changed) {
    Tensor other = whole.clone();
    other.select(1, changed) += 1;
    const Tensor difference =
        (in_pieces(*gpt, whole, {6}, groups) - in_pieces(*gpt, other, {6}, groups)).abs().amax({0, 2});
    for (std::int64_t query = 0; query < 6; ++query) {
      const bool sees = groups[static_cast<std::size_t>(query)] >= groups[static_cast<std::size_t>(changed)];
      EXPECT_EQ(difference[query].item<double>() > 0, sees) << query << " looks at " << changed;
    }
  }
}

TEST(Gpt, PaddingIsSeenByNobody) {
  const torch::NoGradGuard no_gradient;
  const auto gpt = small_gpt();
  const Tensor text = sequence(5), more = sequence(3, 2, 2), last = sequence(2, 2, 3);
  // Row 0 has 5 tokens, row 1 has 3; once padded on the right, once on the left with another filling.
  const Tensor right = text.clone();
  right[1].slice(0, 3) = 9;
  Tensor left = text.clone();
  left[1].slice(0, 2) = -9;
  left[1].slice(0, 2, 5) = text[1].slice(0, 0, 3);
  Tensor valid = at::ones({2, 5}, at::kBool);
  valid[1].slice(0, 3) = false;
  const Tensor bidirectional = order({0, 0, 0});
  for (const bool is_left : {false, true}) {
    const auto session = gpt->begin(2);
    Block padded = block(is_left ? left : right);
    padded.valid = is_left ? at::stack({valid[0], valid[1].flip(0)}) : valid;
    const Tensor first = session->append(padded);
    EXPECT_TRUE(first.isfinite().all().item<bool>());
    const Tensor second = session->append(block(more, bidirectional));
    const Tensor third = session->append(block(last));
    for (std::int64_t row = 0; row < 2; ++row) {
      const std::int64_t length = row == 0 ? 5 : 3;
      const std::int64_t start = is_left ? 5 - length : 0;
      const auto alone = gpt->begin(1);
      EXPECT_LT(largest_difference(alone->append(block(text.slice(0, row, row + 1).slice(1, 0, length))),
                                   first.slice(0, row, row + 1).slice(1, start, start + length)),
                rounding);
      EXPECT_LT(largest_difference(alone->append(block(more.slice(0, row, row + 1), bidirectional)),
                                   second.slice(0, row, row + 1)),
                rounding);
      EXPECT_LT(largest_difference(alone->append(block(last.slice(0, row, row + 1))), third.slice(0, row, row + 1)),
                rounding);
    }
  }
}

TEST(Gpt, ARowOfPaddingKeepsItsPosition) {
  const torch::NoGradGuard no_gradient;
  const auto gpt = small_gpt();
  const auto session = gpt->begin(2), alone = gpt->begin(1);
  Block padded = block(sequence(4));
  padded.valid = at::tensor({1, 1, 1, 1, 0, 0, 0, 0}, at::kInt).to(at::kBool).view({2, 4});
  EXPECT_TRUE(session->append(padded).isfinite().all().item<bool>());
  const Tensor next = sequence(3, 2, 2);
  EXPECT_LT(largest_difference(session->append(block(next)).slice(0, 1), alone->append(block(next.slice(0, 1)))),
            rounding);
}

TEST(Gpt, RowsDoNotDependOnTheirBatch) {
  const torch::NoGradGuard no_gradient;
  const auto gpt = small_gpt();
  const Tensor whole = sequence(8, 5);
  const Tensor together = in_pieces(*gpt, whole, {3, 5});
  for (std::int64_t row = 0; row < 5; ++row) {
    EXPECT_LT(
        largest_difference(in_pieces(*gpt, whole.slice(0, row, row + 1), {3, 5}), together.slice(0, row, row + 1)),
        rounding);
  }
}

TEST(Gpt, PositionsContinueAfterTheLastOne) {
  const torch::NoGradGuard no_gradient;
  const auto gpt = small_gpt();
  const Tensor text = sequence(3), image = sequence(4, 2, 2), more = sequence(2, 2, 3);
  // One position for a whole image: the text after it goes on with the next.
  const auto implicit = gpt->begin(2), stated = gpt->begin(2);
  Block picture = block(image, order({0, 0, 0, 0}));
  picture.places = at::zeros({2, 4}, at::kLong);
  Block start = block(text), end = block(more);
  start.places = order({0, 1, 2}).expand({2, 3});
  end.places = order({0, 1}).expand({2, 2});
  EXPECT_LT(largest_difference(implicit->append(block(text)), stated->append(start)), rounding);
  EXPECT_EQ(largest_difference(implicit->append(picture), stated->append(picture)), 0.0);
  EXPECT_EQ(largest_difference(implicit->append(block(more)), stated->append(end)), 0.0);
  EXPECT_EQ(implicit->length(), 9);
  // In one block without a session: the same places, absolute.
  Block whole = block(at::cat({text, image, more}, 1), order({0, 1, 2, 3, 3, 3, 3, 4, 5}));
  whole.places = order({0, 1, 2, 3, 3, 3, 3, 4, 5}).expand({2, 9});
  const auto once = gpt->begin(2), again = gpt->begin(2);
  again->append(start);
  again->append(picture);
  EXPECT_LT(largest_difference(once->append(whole).slice(1, 7), again->append(end)), rounding);
}

TEST(Gpt, AxesTurnTheirSectionsAndTheLargestPlaceCounts) {
  const torch::NoGradGuard no_gradient;
  const auto gpt = small_gpt({{"rotary_sections", std::vector<double>{1, 2, 1}}});  // 32 / 4 heads / 2 pairs
  const Tensor text = sequence(3), image = sequence(4, 2, 2), more = sequence(2, 2, 3);
  const auto run = [&](const Tensor& places, const Tensor& after) {
    const auto session = gpt->begin(2);
    session->append(block(text));
    Block picture = block(image, order({0, 0, 0, 0}));
    picture.places = places;
    Block end = block(more);
    end.places = after;
    const Tensor first = session->append(picture);
    return at::cat({first, session->append(end)}, 1);
  };
  // Equal on all axes is one axis.
  const Tensor line = order({0, 1, 2, 3}).expand({2, 4});
  EXPECT_LT(largest_difference(run(line.unsqueeze(2).expand({2, 4, 3}), {}), run(line, {})), rounding);
  // A grid of 2 x 2: rows and columns reach place 1, so that text goes on at place 2, which is `order({0, 1})` then.
  const Tensor grid =
      at::stack({order({0, 0, 0, 0}), order({0, 0, 1, 1}), order({0, 1, 0, 1})}, 1).expand({2, 4, 3}).contiguous();
  EXPECT_EQ(largest_difference(run(grid, {}), run(grid, order({0, 1}).expand({2, 2}))), 0.0);
  EXPECT_GT(largest_difference(run(grid, {}), run(grid.flip({2}), {})), 1e-3) << "axes are alike";
  // One pass equals its pieces, with the places counted from the start.
  const auto once = gpt->begin(2);
  Block whole = block(at::cat({text, image, more}, 1), order({0, 1, 2, 3, 3, 3, 3, 4, 5}));
  const auto on_all = [](const Tensor& places) { return places.view({1, -1, 1}).expand({2, -1, 3}); };
  whole.places = at::cat({on_all(order({0, 1, 2})), grid + 3, on_all(order({5, 6}))}, 1);
  EXPECT_LT(largest_difference(once->append(whole).slice(1, 3), run(grid, {})), rounding);
}

TEST(Gpt, GroupsAndExpertsMayDifferByRow) {
  const torch::NoGradGuard no_gradient;
  const auto gpt = small_gpt({{"experts", std::int64_t{2}}});
  const Tensor text = sequence(3), image = sequence(4, 2, 2);
  Block next = block(image, at::stack({order({0, 0, 0, 0}), order({0, 1, 1, 2})}));
  next.expert = at::stack({order({1, 1, 0, 0}), order({0, 1, 0, 1})});
  const auto session = gpt->begin(2);
  session->append(block(text));
  const Tensor together = session->append(next);
  for (std::int64_t row = 0; row < 2; ++row) {
    const auto alone = gpt->begin(1);
    alone->append(block(text.slice(0, row, row + 1)));
    Block own = block(image.slice(0, row, row + 1), next.group[row]);
    own.expert = next.expert[row];
    EXPECT_LT(largest_difference(alone->append(own), together.slice(0, row, row + 1)), rounding);
  }
}

TEST(Gpt, ExpertsShareTheCacheButNotTheirWeights) {
  const torch::NoGradGuard no_gradient;
  const auto gpt = small_gpt({{"experts", std::int64_t{2}}});
  const Tensor text = sequence(3), image = sequence(4, 2, 2);
  const auto run = [&](std::int64_t expert, const Tensor& before) {
    const auto session = gpt->begin(2);
    session->append(block(before));
    Block next = block(image, order({0, 0, 0, 0}));
    next.expert = at::full({4}, expert, at::kLong);
    return session->append(next);
  };
  EXPECT_GT(largest_difference(run(0, text), run(1, text)), 1e-2);
  EXPECT_GT(largest_difference(run(1, text), run(1, text + 1)), 1e-4) << "expert 1 does not see expert 0's tokens";
  int first = 0, second = 0;
  for (const NamedTensor& weight : gpt->weights()) {
    first += weight.name.starts_with("experts.0.");
    second += weight.name.starts_with("experts.1.");
  }
  EXPECT_EQ(first, second);
  EXPECT_GT(second, 0);
}

TEST(Gpt, ReadsImagesAsSquaresOfTheGrid) {
  const torch::NoGradGuard no_gradient;
  const auto gpt = small_gpt({{"merge", std::int64_t{2}}});
  const Tensor x = normal({16, 6}, 2);
  const Block picture = gpt->embed_visual({x, {}});
  const Tensor before = picture.embeds;
  EXPECT_TRUE(picture.group.equal(order({0, 0, 0, 0})));
  EXPECT_EQ(before.sizes(), (std::vector<std::int64_t>{2, 4, 32}));
  Tensor changed = x.clone();
  changed.select(1, 6) += 1;  // row 1, column 2: the square at the top right
  const Tensor difference = (gpt->embed_visual({changed, {}}).embeds - before).abs().amax({0, 2});
  for (int token = 0; token < 4; ++token) EXPECT_EQ(difference[token].item<double>() > 0, token == 1) << token;

  const auto single = small_gpt({{"merge", std::int64_t{1}}, {"visual_projector", std::string("linear")}});
  EXPECT_EQ(single->embed_visual({x, {}}).embeds.sizes(), (std::vector<std::int64_t>{2, 16, 32}));
}

TEST(Gpt, PositionsOfImagesMayStartFromRowsAndColumns) {
  const torch::NoGradGuard no_gradient;
  const Tensor x = normal({16, 6}, 1);
  const auto embeds = [&](const char* start) {
    return small_gpt({{"image_positions", std::string(start)}})->embed_visual({x, {}}).embeds[0];
  };
  const Tensor place = (embeds("sin_cos") - embeds("random"))[6];  // row 1, column 2, but for small random vectors
  EXPECT_NEAR(place[0].item<double>(), 1, 0.1);                    // sin(row pi/2)
  EXPECT_NEAR(place[8].item<double>(), 0, 0.1);
  EXPECT_NEAR(place[16].item<double>(), 0, 0.1);
  EXPECT_NEAR(place[24].item<double>(), -1, 0.1);  // cos(column pi/2)
}

TEST(Gpt, ReadsSeveralEncodersAndPicturesOfAnySize) {
  const torch::NoGradGuard no_gradient;
  BuildContext context = small_context();
  context.wiring.reads = {make_layout(16, 6), make_layout(64, 10)};
  context.wiring.reads[1].ragged = true;
  context.wiring.extra_words = 5;
  const auto gpt =
      make<Backbone>(Kind::backbone, "gpt", {{"width", std::int64_t{32}}, {"merge", std::int64_t{2}}}, context);
  EXPECT_EQ(gpt->logits(sequence(1)).size(2), 25);
  EXPECT_EQ(gpt->embed(order({24}).unsqueeze(0)).size(2), 32);
  EXPECT_EQ(gpt->embed_visual({normal({16, 6}, 2), {}}).embeds.size(1), 4);
  Visual ragged{.x = normal({64, 10}, 2), .codes = {}, .source = 1};
  const Tensor whole = gpt->embed_visual(ragged).embeds;
  ragged.grids = {{.rows = 8, .columns = 8}, {.rows = 2, .columns = 6}};
  const Block block = gpt->embed_visual(ragged);
  EXPECT_LT(largest_difference(block.embeds[0], whole[0]), rounding);
  EXPECT_TRUE(block.valid.sum(1).equal(order({16, 3})));
  Visual alone{.x = ragged.x.slice(0, 1).slice(1, 0, 12), .codes = {}, .source = 1};
  alone.grids = {{.rows = 2, .columns = 6}};
  const Block own = gpt->embed_visual(alone);
  EXPECT_FALSE(own.valid.defined());
  EXPECT_LT(largest_difference(own.embeds[0], block.embeds[1].slice(0, 0, 3)), rounding);
  ragged.grids[1] = {.rows = 3, .columns = 4};  // no squares of 2 x 2
  EXPECT_THROW(gpt->embed_visual(ragged), Error);
  ragged.source = 2;
  EXPECT_THROW(gpt->embed_visual(ragged), Error);
}

TEST(Gpt, TiedEmbeddingsAreTheOutputLayer) {
  const torch::NoGradGuard no_gradient;
  const auto tied = small_gpt({{"tied_embeddings", true}});
  const Tensor table = tied->embed(at::arange(20).unsqueeze(0))[0];
  const Tensor hidden = sequence(3);
  EXPECT_LT(largest_difference(tied->logits(hidden), at::matmul(hidden, table.t())), 1e-4);
  for (const NamedTensor& weight : tied->weights()) EXPECT_NE(weight.name, "head");
  EXPECT_EQ(small_gpt()->logits(hidden).sizes(), (std::vector<std::int64_t>{2, 3, 20}));
}

TEST(Gpt, RefusesBlocksThatDoNotFit) {
  const auto gpt = small_gpt();
  const auto session = gpt->begin(2);
  Block expert = block(sequence(3));
  expert.expert = order({0, 1, 0});
  Block axes = block(sequence(3));
  axes.places = at::zeros({2, 3, 2}, at::kLong);
  for (const Block& wrong : {expert, axes, block(sequence(3, 1)), block(sequence(3).slice(2, 0, 8)),
                             block(sequence(3), order({0, 1})), block(sequence(0))}) {
    EXPECT_THROW(session->append(wrong), Error);
  }
  EXPECT_NO_THROW(session->append(block(sequence(3))));
}

TEST(Gpt, RefusesParametersThatDoNotFit) {
  const auto say = [](const Overrides& overrides, std::int64_t tokens = 16) {
    Wiring wiring = small_context().wiring;
    wiring.features.tokens = tokens;
    return problems(Kind::backbone, "gpt", overrides, wiring);
  };
  EXPECT_EQ(say({}), "");
  EXPECT_NE(say({{"heads", std::int64_t{3}}}).find("heads: "), std::string::npos);
  EXPECT_NE(say({{"width", std::int64_t{12}}}).find("even number"), std::string::npos);
  EXPECT_NE(say({{"kv_heads", std::int64_t{3}}}).find("kv_heads: "), std::string::npos);
  EXPECT_NE(say({{"merge", std::int64_t{3}}}).find("merge: "), std::string::npos);
  EXPECT_NE(say({{"merge", std::int64_t{2}}}, 21).find("set merge: 1"), std::string::npos);
  EXPECT_EQ(say({{"merge", std::int64_t{1}}}, 21), "");

  EXPECT_NE(say({{"image_positions", std::string("sin_cos")}}, 21).find("image_positions: "), std::string::npos);

  EXPECT_NE(say({{"rotary_sections", std::vector<double>{8, 9}}}).find("rotary_sections: "), std::string::npos);
  EXPECT_EQ(say({{"rotary_sections", std::vector<double>{4, 6, 6}}}), "");

  Wiring wiring;
  descriptor_of(Kind::backbone, "gpt").check(parameters_of(descriptor_of(Kind::backbone, "gpt"), {}), wiring);
  EXPECT_EQ(wiring.backbone_width, 128);
  EXPECT_EQ(wiring.experts, 1);
}

TEST(Gpt, NeedsAVocabularyAndForImagesAnEncoder) {
  BuildContext context = small_context();
  context.vocabulary = 0;
  EXPECT_THROW(make<Backbone>(Kind::backbone, "gpt", {}, context), Error);
  context.vocabulary = 20;
  context.wiring.features = {};
  const auto blind = make<Backbone>(Kind::backbone, "gpt", {}, context);
  EXPECT_THROW(blind->embed_visual({normal({16, 6}, 1), {}}), Error);
}

}  // namespace
}  // namespace blip3u::testing
