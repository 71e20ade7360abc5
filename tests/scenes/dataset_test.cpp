// The conversations of Scenes: what they say is so, by words and scenes read apart from the code that made them.
#include <ATen/ops/equal.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "blip3u/dataset.h"
#include "components.h"
#include "message_of.h"
#include "scenes/description.h"
#include "scenes/language.h"
#include "scenes/rules.h"

namespace blip3u::scenes {
namespace {

using testing::HasSubstr;

constexpr std::int64_t side = 32;

std::unique_ptr<Dataset> world(Overrides changes = {}) {
  changes.emplace("samples", std::int64_t{20'000});
  changes.emplace("test_samples", std::int64_t{60});
  return make<Dataset>(Kind::dataset, "scenes", changes, {.wiring = {.image_size = side}});
}

const Dataset& standard() {
  static const auto dataset = world();
  return *dataset;
}

Sample sample(Split split, std::int64_t index, const Dataset& dataset = standard()) {
  return dynamic_cast<const Indexed&>(dataset).sample(split, index);
}

/// Test samples of a chapter, or of all whose names start so.
std::vector<Sample> test_samples(const std::string& chapter) {
  std::vector<Sample> samples;
  const auto chapters = standard().chapters(Split::test);
  for (std::size_t i = 0; i < chapters.size(); ++i) {
    if (!chapters[i].name.starts_with(chapter)) continue;
    const auto reader = standard().open(Split::test, static_cast<std::int64_t>(i));
    while (auto next = reader->next()) samples.push_back(std::move(*next));
  }
  return samples;
}

std::string texts_of(const Sample& sample) {
  std::string all;
  for (const Message& message : sample.messages) {
    for (const Part& part : message.content) all += part.text + " | ";
  }
  for (const std::string& caption : sample.captions) all += caption + " | ";
  return all;
}

std::vector<std::string> words_in(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

// What words name, written apart from language.cpp.
const std::map<std::string, std::size_t> shape_named = {
    {"circle", 0}, {"circles", 0},  {"disc", 0},      {"discs", 0}, {"square", 1}, {"squares", 1}, {"box", 1},
    {"boxes", 1},  {"triangle", 2}, {"triangles", 2}, {"star", 3},  {"stars", 3},  {"cross", 4},   {"crosses", 4}};
const std::map<std::string, std::size_t> size_named = {{"small", 0}, {"little", 0}, {"tiny", 0},
                                                       {"large", 1}, {"big", 1},    {"huge", 1}};
const std::map<std::string, std::size_t> colour_named = {{"red", 0},  {"orange", 1}, {"yellow", 2}, {"green", 3},
                                                         {"blue", 4}, {"purple", 5}, {"pink", 6}};

/// Things that a text names, one after the other: attributes belong to the next shape, or "thing".
struct Named {
  std::optional<std::size_t> shape, colour, size;
  bool fits(const Object& object) const {
    return (!shape || object.shape == *shape) && (!colour || object.colour == *colour) &&
           (!size || object.size == *size);
  }
};
std::vector<Named> things_in(const std::string& text) {
  std::vector<Named> things;
  Named next;
  for (const std::string& word : words_in(text)) {
    if (word == "|") next = {};  // another text
    if (const auto colour = colour_named.find(word); colour != colour_named.end()) next.colour = colour->second;
    if (const auto size = size_named.find(word); size != size_named.end()) next.size = size->second;
    const auto shape = shape_named.find(word);
    if (shape != shape_named.end()) next.shape = shape->second;
    if (shape != shape_named.end() || word == "thing") things.push_back(std::exchange(next, {}));
  }
  return things;
}

std::vector<Object> all_that_fit(const Scene& scene, const Named& named) {
  std::vector<Object> found;
  for (const Object& object : scene.objects) {
    if (named.fits(object)) found.push_back(object);
  }
  return found;
}

const std::vector<std::string> numbers = {"zero", "one", "two", "three", "four"};

std::string expected_answer(const std::string& type, const std::string& question, const Scene& scene) {
  if (type == "mood") return moods[scene.mood];
  std::vector<Named> things = things_in(question);
  if (type == "size") things.front().size.reset();  // "is the star small or large"
  if (things.empty()) return "no thing is named";
  const auto first = all_that_fit(scene, things[0]);
  if (type == "exist") return first.empty() ? "no" : "yes";
  if (type == "count") return numbers.at(first.size());
  if (type == "compare") return first.size() > all_that_fit(scene, things.at(1)).size() ? "yes" : "no";
  if (first.size() != 1) return "not one thing is named";
  if (type == "colour") return colours[first[0].colour];
  if (type == "shape") return shapes[first[0].shape];
  if (type == "size") return sizes[first[0].size];
  const auto second = all_that_fit(scene, things.at(1));
  if (second.size() != 1) return "not one second thing is named";
  const Object &a = first[0], &b = second[0];
  bool so = false;
  for (const std::string& word : words_in(question)) {
    if (word == "left") so = a.x < b.x;
    if (word == "right") so = a.x > b.x;
    if (word == "above" || word == "over" || word == "higher") so = a.y < b.y;
    if (word == "below" || word == "under" || word == "lower") so = a.y > b.y;
  }
  return so ? "yes" : "no";
}

TEST(ScenesData, SamplesAreSoundAndShowWhatTheirLabelsSay) {
  std::int64_t pictures = 0;
  for (std::int64_t i = 0; i < 3000; ++i) {
    const Sample made = sample(Split::train, i);
    ASSERT_EQ(problem_of(made), "") << made.id;
    ASSERT_EQ(made.captions.size(), made.images.size());
    for (const Tensor& image : made.images) ASSERT_EQ(image.sizes(), (at::IntArrayRef{3, side, side}));
    const std::string scene = label_of(made, "scene");
    if (scene.empty()) continue;
    ++pictures;
    ASSERT_TRUE(same_scene(parse_scene(scene), read_scene(made.images.back()), side, 1)) << made.id << ": " << scene;
    const std::string wanted = label_of(made, "wanted");
    if (wanted.empty()) continue;
    ASSERT_TRUE(judge(read_scene(made.images.back()), parse_description(wanted)).strict) << made.id << ": " << wanted;
  }
  EXPECT_GT(pictures, 1500);
}

TEST(ScenesData, ThingsStandOnTheLatticeWhereThereIsRoom) {
  std::int64_t things = 0, off = 0;
  for (std::int64_t i = 0; i < 3000; ++i) {
    const std::string scene = label_of(sample(Split::train, i), "scene");
    if (scene.empty()) continue;
    for (const Object& object : parse_scene(scene).objects) {
      ++things;
      const auto on = [](double place) { return std::abs(place * 8 - std::round(place * 8)) < 1e-6; };
      off += on(object.x) && on(object.y) ? 0 : 1;
    }
  }
  EXPECT_GT(things, 3000);
  EXPECT_LT(off, things / 25);
}

TEST(ScenesData, AnswersAreRight) {
  std::map<std::string, int> asked;
  for (std::int64_t i = 0; i < 8000; ++i) {
    const Sample made = sample(Split::train, i);
    if (label_of(made, "kind") != "question") continue;
    const std::string type = label_of(made, "type"), question = made.messages[0].content[1].text;
    ++asked[type];
    const Scene scene = parse_scene(label_of(made, "scene"));
    ASSERT_EQ(made.messages[1].content[0].text, expected_answer(type, question, scene))
        << question << " " << to_text(scene);
  }
  EXPECT_EQ(asked.size(), 8u);
}

TEST(ScenesData, WhoDoesNotLookGainsNothingFromYesAndNo) {
  for (const char* type : {"exist", "relation", "compare"}) {
    std::map<std::string, int> answers;
    int total = 0;
    for (std::int64_t i = 0; i < 20'000; ++i) {
      const Sample made = sample(Split::train, i);
      if (label_of(made, "type") != type) continue;
      ++answers[label_of(made, "answer")];
      ++total;
    }
    ASSERT_GT(total, 300) << type;
    EXPECT_NEAR(answers["yes"], total / 2.0, 2.6 * std::sqrt(total)) << type;
    EXPECT_EQ(answers["yes"] + answers["no"], total);
  }
}

TEST(ScenesData, TrainingNeverSeesWhatIsHeldOut) {
  const std::vector<std::pair<std::string, std::string>> pairs = {
      {"red", "triangle"}, {"blue", "star"}, {"green", "circle"}, {"yellow", "cross"}};
  const auto is_held_out = [&](const Object& object) {
    return std::ranges::any_of(pairs, [&](const auto& pair) {
      return colours[object.colour] == pair.first && shapes[object.shape] == pair.second;
    });
  };
  std::set<std::string> words;
  for (std::int64_t i = 0; i < 20'000; ++i) {
    const Sample made = sample(Split::train, i);
    ASSERT_EQ(label_of(made, "held_out"), "no");
    ASSERT_EQ(label_of(made, "wording"), "seen");
    const std::string text = texts_of(made);
    for (const std::string& word : words_in(text)) words.insert(word);
    for (const Named& named : things_in(text)) {
      ASSERT_FALSE(named.shape && named.colour && is_held_out({.shape = *named.shape, .colour = *named.colour}))
          << text;
    }
    if (i % 4 == 0) {
      for (const Tensor& image : made.images) {
        const Reading reading = read_scene(image);
        ASSERT_TRUE(reading.clear()) << made.id;
        ASSERT_TRUE(std::ranges::none_of(reading.objects, is_held_out)) << text;
      }
    }
    for (const Message& message : made.messages) {  // what the assistant draws
      for (const Part& part : message.content) {
        if (part.type != Part::Type::image || message.role != Role::assistant || i % 4 != 0) continue;
        const Reading reading = read_scene(made.images[static_cast<std::size_t>(part.image)]);
        for (std::size_t shape = 0; shape < shapes.size(); ++shape) {
          ASSERT_LT(std::ranges::count(reading.objects, shape, &Object::shape), 4) << text;
        }
      }
    }
    if (const std::string wanted = label_of(made, "wanted"); wanted.find('(') != std::string::npos) {
      const Description description = parse_description(wanted);
      const std::string first = shapes[description.phrases[0].shape], second = shapes[description.phrases[1].shape];
      ASSERT_FALSE((first == "star" && second == "circle") || (first == "square" && second == "cross")) << text;
    }
  }
  // The tokenizer knows the words of training only.
  for (const Sample& test : test_samples("")) {
    if (label_of(test, "wording") != "held_out") continue;
    for (const std::string& word : words_in(test.messages[0].content[0].text)) {
      EXPECT_TRUE(words.contains(word)) << word << " in: " << test.messages[0].content[0].text;
    }
  }
}

TEST(ScenesData, TestChaptersHoldWhatTheirNamesSay) {
  for (const Sample& made : test_samples("unseen/pairs")) {
    const Description wanted = parse_description(label_of(made, "wanted"));
    const Phrase& first = wanted.phrases[0];
    const std::string pair = fmt::format("{} {}", colours[*first.colour], shapes[first.shape]);
    EXPECT_THAT((std::set<std::string>{"red triangle", "blue star", "green circle", "yellow cross"}),
                testing::Contains(pair));
  }
  for (const Sample& made : test_samples("unseen/counts")) {
    EXPECT_EQ(parse_description(label_of(made, "wanted")).phrases.at(0).count, 4);
  }
  for (const Sample& made : test_samples("unseen/relations")) {
    const Description wanted = parse_description(label_of(made, "wanted"));
    ASSERT_TRUE(wanted.relation.has_value());
    const std::string both = fmt::format("{} {}", shapes[wanted.phrases[0].shape], shapes[wanted.phrases[1].shape]);
    EXPECT_THAT((std::set<std::string>{"star circle", "square cross"}), testing::Contains(both));
  }
  for (const Sample& made : test_samples("dialogue")) EXPECT_EQ(label_of(made, "turns"), "6");
  std::set<std::string> seen_prompts;
  for (const Sample& made : test_samples("draw/")) seen_prompts.insert(label_of(made, "wording"));
  EXPECT_EQ(seen_prompts, std::set<std::string>{"seen"});
}

TEST(ScenesData, EditsKeepWhatTheyDoNotName) {
  for (const Sample& made : test_samples("edit/")) {
    const Scene source = parse_scene(label_of(made, "source")), target = parse_scene(label_of(made, "target"));
    const std::string type = label_of(made, "type");
    std::size_t kept = 0;
    for (const Object& object : target.objects) {
      for (const Object& before : source.objects) {
        kept += object.shape == before.shape && object.colour == before.colour && object.size == before.size &&
                object.x == before.x && object.y == before.y;
      }
    }
    const std::size_t changed = type == "insert" || type == "restyle" ? 0 : 1;
    EXPECT_EQ(kept, source.objects.size() - changed) << made.id;
    EXPECT_EQ(source.mood == target.mood, type != "restyle") << made.id;
    EXPECT_TRUE(
        judge_edit(source, target, parse_description(label_of(made, "wanted")), read_scene(made.images[1]), side).kept)
        << made.id << ": " << label_of(made, "source") << " -> " << label_of(made, "target");
    EXPECT_FALSE(same_scene(target, read_scene(made.images[0]), side)) << made.id << ": nothing changes";
  }
}

// What everybody knows, written apart from language.cpp.
const std::map<std::string, std::size_t> shape_known_as = {
    {"a wheel", 0},   {"without corners", 0}, {"four sides", 1}, {"a chessboard", 1}, {"three sides", 2},
    {"a pyramid", 2}, {"five points", 3},     {"a starfish", 3}, {"four arms", 4},    {"an ambulance", 4}};
const std::map<std::string, std::size_t> colour_known_as = {
    {"blood", 0},   {"a tomato", 0}, {"a carrot", 1}, {"a pumpkin", 1}, {"the sun", 2},
    {"a lemon", 2}, {"grass", 3},    {"a leaf", 3},   {"the sea", 4},   {"the sky", 4},
    {"a plum", 5},  {"grapes", 5},   {"a pig", 6},    {"a flamingo", 6}};

/// "one more than two"
std::int64_t reckoned(const std::string& text) {
  static const std::vector<std::string> all = {"zero", "one", "two", "three", "four", "five"};
  std::vector<std::int64_t> found;
  for (const std::string& word : words_in(text)) {
    const auto number = std::ranges::find(all, word);
    if (number != all.end()) found.push_back(number - all.begin());
  }
  const auto has = [&](const char* part) { return text.find(part) != std::string::npos; };
  if (has("number after")) return found.at(0) + 1;
  if (has("number before")) return found.at(0) - 1;
  if (has(" plus ")) return found.at(0) + found.at(1);
  if (has(" minus ")) return found.at(0) - found.at(1);
  return has(" more than ") ? found.at(1) + found.at(0) : found.at(1) - found.at(0);
}

/// What a roundabout prompt asks for.
Phrase resolved(const std::string& prompt) {
  Phrase phrase;
  const auto plain = things_in(prompt.substr(0, prompt.find(" as many as ")));
  if (!plain.empty() && plain[0].shape) phrase.shape = *plain[0].shape;
  for (const auto& [word, colour] : colour_named) {
    if (std::ranges::count(words_in(prompt), word) > 0) phrase.colour = colour;
  }
  for (const auto& [fact, shape] : shape_known_as) {
    if (prompt.find("the shape") != std::string::npos && prompt.find(fact) != std::string::npos) phrase.shape = shape;
  }
  for (const auto& [fact, colour] : colour_known_as) {
    if (prompt.find("the colour of " + fact) != std::string::npos) phrase.colour = colour;
  }
  if (prompt.find("the opposite of small") != std::string::npos) phrase.size = 1;
  if (prompt.find("the opposite of large") != std::string::npos) phrase.size = 0;
  const std::size_t many = prompt.find(" as many as ");
  if (many != std::string::npos) phrase.count = reckoned(prompt.substr(many));
  return phrase;
}

TEST(ScenesData, ReasoningComesToWhatIsDrawn) {
  std::size_t thought = 0;
  for (const Sample& made : test_samples("reasoning/")) {
    const bool thinks = made.messages[0].role == Role::system;
    EXPECT_EQ(label_of(made, "reasoning"), thinks ? "on" : "off");
    const std::string prompt = made.messages[thinks ? 1 : 0].content[0].text;
    const Description wanted = parse_description(label_of(made, "wanted"));
    EXPECT_EQ(to_text(wanted), to_text(Description{.phrases = {resolved(prompt)}})) << prompt;
    if (!thinks) continue;
    ++thought;
    const auto& reply = made.messages[2].content;
    ASSERT_EQ(reply.size(), 2u);
    EXPECT_THAT(reply[0].text, testing::EndsWith(" so " + say(wanted, nullptr)));
    EXPECT_EQ(reply[1].type, Part::Type::image);
  }
  EXPECT_GT(thought, 100u);
}

TEST(ScenesData, ChangesWithItsParametersAlone) {
  const auto again = world(), other = world({{"seed", std::int64_t{1}}});
  EXPECT_EQ(texts_of(sample(Split::train, 7)), texts_of(sample(Split::train, 7, *again)));
  EXPECT_TRUE(at::equal(sample(Split::train, 7).images[0], sample(Split::train, 7, *again).images[0]));
  EXPECT_NE(texts_of(sample(Split::train, 7)), texts_of(sample(Split::train, 7, *other)));
  EXPECT_EQ(standard().fingerprint(), again->fingerprint());
  EXPECT_NE(standard().fingerprint(), other->fingerprint());
  EXPECT_NE(standard().fingerprint(), world({{"held_out", std::vector<std::string>{"red star"}}})->fingerprint());
}

TEST(ScenesData, RefusesWhatItCannotHoldOutOrDraw) {
  const auto problems = [](const Overrides& changes, std::int64_t size) {
    Wiring wiring{.image_size = size};
    const auto& descriptor = descriptor_of(Kind::dataset, "scenes");
    descriptor.check(parameters_of(descriptor, changes), wiring);
    std::string all;
    for (const auto& problem : wiring.problems) all += problem.parameter + ": " + problem.message + "\n";
    return all;
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(problems({}, 32), "");
  EXPECT_THAT(problems({}, 16), HasSubstr("set data.image_size"));
  EXPECT_THAT(problems({{"held_out", Texts{"red hexagon"}}}, 32), HasSubstr("held_out: 'red hexagon' is not a colour"));
  EXPECT_THAT(problems({{"held_out_relations", Texts{"star star"}}}, 32), HasSubstr("held_out_relations: 'star star'"));
  Texts all_stars;
  for (const char* colour : colours) all_stars.push_back(fmt::format("{} star", colour));
  EXPECT_THAT(problems({{"held_out", all_stars}}, 32), HasSubstr("training must see a star"));
}

}  // namespace
}  // namespace blip3u::scenes
