#include <gtest/gtest.h>

#include <vector>

#include "scenes/rules.h"

namespace blip3u::scenes {
namespace {

constexpr std::size_t circle = 0, square = 1, star = 3, red = 0, green = 3, blue = 4, small = 0, large = 1;

Object thing(std::size_t size, std::size_t colour, std::size_t shape, double x, double y) {
  return {.shape = shape, .colour = colour, .size = size, .x = x, .y = y};
}

Reading reading_of(const Scene& scene) { return {.mood = scene.mood, .objects = scene.objects}; }

Verdict verdict(const Scene& scene, const char* wanted) { return judge(reading_of(scene), parse_description(wanted)); }

const Scene two = {.mood = 0, .objects = {thing(small, red, circle, 0.2, 0.5), thing(large, blue, square, 0.7, 0.5)}};

TEST(Rules, StrictAsksForExactlyWhatIsDescribed) {
  EXPECT_TRUE(verdict(two, "day: 1 small red circle, 1 large blue square").strict);
  EXPECT_TRUE(verdict(two, "any: 1 any red circle, 1 any any square (left of)").strict);
  for (const char* wrong : {
           "night: 1 small red circle, 1 large blue square",
           "any: 1 large red circle, 1 large blue square",
           "any: 1 small blue circle, 1 large blue square",
           "any: 1 small red star, 1 large blue square",
           "any: 2 small red circle, 1 large blue square",
           "any: 1 any red circle, 1 any any square (right of)",
           "any: 1 any red circle, 1 any any square (above)",
           "any: 1 small red circle",
           "any:",
       }) {
    EXPECT_FALSE(verdict(two, wrong).strict) << wrong;
  }
}

TEST(Rules, CompatibleAllowsOtherThings) {
  EXPECT_TRUE(verdict(two, "any: 1 any red circle").compatible);
  EXPECT_FALSE(verdict(two, "any: 1 any red circle").strict);
  EXPECT_FALSE(verdict(two, "any: 1 any green circle").compatible);
  Reading unclear = reading_of(two);
  unclear.reasons.emplace_back("something");
  EXPECT_TRUE(judge(unclear, parse_description("any: 1 any red circle")).compatible);
  EXPECT_FALSE(judge(unclear, parse_description("any: 1 any red circle, 1 any blue square")).strict);
}

// GenEval's `exclude` of counting prompts: n + 1 of the class are wrong; of others, more of the class do not hurt.
TEST(Rules, CompatibleCountsOnlyWhatIsCounted) {
  Scene three = two;
  three.objects.push_back(thing(small, red, circle, 0.2, 0.2));
  EXPECT_TRUE(verdict(three, "any: 1 any red circle").compatible);
  EXPECT_TRUE(verdict(three, "any: 2 any any circle").compatible);
  three.objects.push_back(thing(small, red, circle, 0.2, 0.8));
  EXPECT_FALSE(verdict(three, "any: 2 any any circle").compatible);
  EXPECT_TRUE(verdict(three, "any: 3 any any circle").compatible);
}

TEST(Rules, RelationsHoldOfAllPairs) {
  Scene scene = two;
  scene.objects.push_back(thing(small, red, circle, 0.8, 0.2));
  EXPECT_FALSE(verdict(scene, "any: 2 any red circle, 1 any blue square (left of)").strict);
  EXPECT_TRUE(verdict(scene, "any: 1 any red circle, 1 any blue square (left of)").compatible)
      << "of one that is there";
  scene.objects[2] = thing(small, red, circle, 0.2, 0.2);
  EXPECT_TRUE(verdict(scene, "any: 2 any red circle, 1 any blue square (left of)").strict);
}

// evaluate.py, relative_position: boxes of 10 x 10 whose centres differ by 4 have no relation and by 5 one; by (50, 50)
// they have two. A square's extent is 0.88 of its radius to each side.
TEST(Rules, RelationsAreGenevals) {
  const double unit = 2 * 0.88 * radii[small] / 10;
  const auto related_by = [&](double x, double y) {
    std::vector<std::string> found;
    const Object a = thing(small, red, square, 0.5 - x * unit / 2, 0.5 - y * unit / 2);
    const Object b = thing(small, blue, square, 0.5 + x * unit / 2, 0.5 + y * unit / 2);
    for (std::size_t relation = 0; relation < relations.size(); ++relation) {
      if (related(a, relation, b)) found.emplace_back(relations[relation]);
    }
    return found;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(related_by(1.9, 0), Names{});
  EXPECT_EQ(related_by(5, 0), Names{"left of"});
  EXPECT_EQ(related_by(50, 50), (Names{"left of", "above"}));
  EXPECT_EQ(related_by(-50, 3), Names{"right of"});
}

TEST(Rules, AtomsTellWhatIsWrong) {
  const Description wanted = parse_description("day: 2 small red circle, 1 any blue square (left of)");
  EXPECT_EQ(atoms_in(wanted), 8);
  const Verdict found = judge(reading_of(two), wanted);
  std::string text;
  for (const Atom& atom : found.atoms) {
    text += std::string(atom_kinds[static_cast<std::size_t>(atom.kind)]) + (atom.right ? "+ " : "- ");
  }
  EXPECT_EQ(text, "object+ colour+ size+ count- object+ colour+ relation- mood+ ");
}

TEST(Rules, NothingIsRightWithoutAGround) {
  const Verdict none = judge({}, parse_description("any:"));
  EXPECT_FALSE(none.strict);
  EXPECT_FALSE(none.compatible);
  EXPECT_TRUE(judge({.mood = 2}, parse_description("any:")).strict) << "an empty ground";
}

EditVerdict edit(const Scene& target, const Scene& made, const char* wanted = "any:") {
  return judge_edit(two, target, parse_description(wanted), reading_of(made), 64);
}

TEST(Edits, InsertedThingsMayStandAnywhere) {
  Scene target = two, made = two;
  target.objects.push_back(thing(small, green, star, 0.3, 0.8));
  made.objects.push_back(thing(small, green, star, 0.7, 0.2));
  EXPECT_TRUE(edit(target, made).changed);
  EXPECT_TRUE(edit(target, made).kept);
  EXPECT_FALSE(edit(target, made, "any: 1 any green star, 1 any red circle (below)").changed)
      << "where it was to stand";
  EXPECT_FALSE(edit(target, two).changed);
  EXPECT_TRUE(edit(target, two).kept);
  made.objects.back().colour = red;
  EXPECT_FALSE(edit(target, made).changed);
}

TEST(Edits, InsertedThingsMayBeAnyOfWhatIsNotNamed) {
  Scene target = two, made = two;
  target.objects.push_back(thing(small, green, star, 0.3, 0.8));
  made.objects.push_back(thing(large, green, star, 0.3, 0.8));
  EXPECT_TRUE(edit(target, made, "any: 1 any green star").changed);
  EXPECT_TRUE(edit(target, made, "any: 1 any green star").kept);
  EXPECT_FALSE(edit(target, made, "any: 1 small green star").changed);
  EXPECT_FALSE(edit(target, made, "any: 1 any red star").changed);
}

TEST(Edits, DeletedThingsAreGone) {
  Scene target = two;
  target.objects.pop_back();
  EXPECT_TRUE(edit(target, target).changed);
  EXPECT_TRUE(edit(target, target).kept);
  EXPECT_FALSE(edit(target, two).changed);
  EXPECT_TRUE(edit(target, two).kept);
  EXPECT_FALSE(edit(target, {.mood = 0, .objects = {}}).kept);
}

TEST(Edits, RecolouredThingsStay) {
  Scene target = two, made = two;
  target.objects[0].colour = green;
  EXPECT_TRUE(edit(target, target).changed);
  EXPECT_TRUE(edit(target, target).kept);
  made.objects[0].colour = blue;
  EXPECT_FALSE(edit(target, made).changed);
  EXPECT_TRUE(edit(target, made).kept) << "it is the named thing that is wrong";
  made.objects[0] = thing(small, green, circle, 0.2 + 3.0 / 64, 0.5);
  EXPECT_FALSE(edit(target, made).changed) << "three pixels away";
  made = target;
  made.objects[1].x += 1.0 / 64;
  EXPECT_TRUE(edit(target, made).kept);
  made.objects[1].x += 2.0 / 64;
  EXPECT_FALSE(edit(target, made).kept);
  made = target;
  made.mood = 1;
  EXPECT_FALSE(edit(target, made).kept);
}

TEST(Edits, MovedThingsGoTheSameWay) {
  Scene target = two, made = two;
  target.objects[0].y = 0.2;
  made.objects[0].y = 0.25;
  EXPECT_TRUE(edit(target, made).changed);
  EXPECT_TRUE(edit(target, made).kept);
  made.objects[0].y = 0.8;
  EXPECT_FALSE(edit(target, made).changed);
  EXPECT_TRUE(edit(target, made).kept);
  EXPECT_FALSE(edit(target, two).changed);
  made.objects[0].y = 0.35;
  EXPECT_FALSE(edit(target, made).changed) << "half the way";
  made.objects[0].y = 0.2;
  made.objects[0].x += 0.1;
  EXPECT_FALSE(edit(target, made).changed) << "aside";
}

TEST(Edits, WhatIsDeletedBecomesNothingElse) {
  Scene target = two, made = two;
  target.objects.erase(target.objects.begin());
  EXPECT_TRUE(edit(target, target).changed);
  made.objects[0].colour = blue;
  EXPECT_FALSE(edit(target, made).changed);
}

TEST(Edits, WhatIsAddedStandsAsIsWanted) {
  Scene source = two, target = two, made = two;
  source.objects.push_back(thing(small, green, star, 0.2, 0.15));  // left of the square already
  target = made = source;
  target.objects.push_back(thing(small, green, star, 0.2, 0.85));
  made.objects.push_back(thing(small, green, star, 0.85, 0.15));
  const Description wanted = parse_description("any: 1 any green star, 1 any any square (left of)");
  EXPECT_TRUE(judge_edit(source, target, wanted, reading_of(target), 64).changed);
  EXPECT_FALSE(judge_edit(source, target, wanted, reading_of(made), 64).changed);
}

TEST(Edits, RestylingChangesTheGroundAlone) {
  Scene target = two;
  target.mood = 1;
  EXPECT_TRUE(edit(target, target).changed);
  EXPECT_TRUE(edit(target, target).kept);
  EXPECT_FALSE(edit(target, two).changed);
  target.objects.pop_back();
  Scene restyled = two;
  restyled.mood = 1;
  EXPECT_FALSE(edit(restyled, target).kept);
}

TEST(Edits, WhatCannotBeReadIsNotKept) {
  Reading reading = reading_of(two);
  reading.reasons.emplace_back("something");
  EXPECT_FALSE(judge_edit(two, two, {}, reading, 64).kept);
  Scene target = two;
  target.objects.pop_back();
  EXPECT_FALSE(judge_edit(two, target, {}, Reading(), 64).changed);
}

}  // namespace
}  // namespace blip3u::scenes
