// Captions from hand-made questions and answers.
#include "easy_vqa/captions.h"

#include <gtest/gtest.h>

#include <cstddef>

namespace blip3u::easy_vqa {
namespace {

TEST(Captions, ComeFromPlainAnswers) {
  EXPECT_EQ(recover_caption({{"what color is the shape?", "red"}, {"what shape is in the image?", "triangle"}}),
            "a red triangle");
}

TEST(Captions, ComeFromWordsOfTheQuestion) {
  EXPECT_EQ(recover_caption({{"what is the blue shape?", "circle"}}), "a blue circle");
  EXPECT_EQ(recover_caption({{"what is the color of the rectangle?", "gray"}}), "a gray rectangle");
}

TEST(Captions, ComeFromYes) {
  EXPECT_EQ(recover_caption({{"is there a teal shape?", "yes"}, {"is a circle present?", "yes"}}), "a teal circle");
}

TEST(Captions, ComeFromEveryNegation) {
  for (const char* question : {"is there not a blue shape?", "is no blue shape present?",
                               "does the image not contain a blue shape?", "is there not a blue shape in the image?"}) {
    EXPECT_EQ(recover_caption({{question, "no"}, {"what shape is present?", "circle"}}), "a blue circle") << question;
    EXPECT_EQ(recover_caption({{question, "yes"}, {"what shape is present?", "circle"}}), "") << question;
  }
}

TEST(Captions, ComeFromElimination) {
  EXPECT_EQ(
      recover_caption(
          {{"is there a circle?", "no"}, {"is no rectangle present?", "yes"}, {"what color is the shape?", "black"}}),
      "a black triangle");
}

TEST(Captions, AreMissingWhereMoreThanOneIsPossible) {
  EXPECT_EQ(recover_caption({}), "");
  EXPECT_EQ(recover_caption({{"what color is the shape?", "red"}, {"is there a circle?", "no"}}), "");
}

TEST(Captions, AreMissingWhereAnswersContradict) {
  EXPECT_EQ(recover_caption({{"what is the red shape?", "circle"}, {"is there a blue shape?", "yes"}}), "");
  EXPECT_TRUE(consistent_pairs({{"is there a circle?", "yes"}, {"is no circle present?", "yes"}}).none());
}

TEST(Captions, KeepWhatANoAboutAPairLeaves) {
  const auto pairs = consistent_pairs({{"is there a red circle?", "no"}});
  EXPECT_EQ(pairs.count(), pair_count - 1);
  EXPECT_FALSE(pairs[*parse_pair("red circle")]);
}

TEST(Pairs, HaveNames) {
  for (std::size_t pair = 0; pair < pair_count; ++pair) EXPECT_EQ(parse_pair(pair_name(pair)), pair);
  EXPECT_FALSE(parse_pair("a red circle"));
  EXPECT_FALSE(parse_pair("red"));
  EXPECT_EQ(pairs_with("teal").count(), shapes.size());
  EXPECT_EQ(pairs_with("circle").count(), colours.size());
  EXPECT_TRUE(pairs_with("shape").all());
}

}  // namespace
}  // namespace blip3u::easy_vqa
