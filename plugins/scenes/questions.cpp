// Questions about scenes. Where the answer is yes or no, it is drawn first and the scene made to fit, so that who does
// not look gains nothing.
#include <algorithm>
#include <utility>

#include "scenes/draft.h"

namespace blip3u::scenes {

namespace {

const char* yes_or_no(bool yes) { return yes ? "yes" : "no"; }

Scene any_scene(Draft& draft, std::size_t least = 1) {
  return random_scene(least + pick(draft.engine, most_objects + 1 - least), draft.engine, draft.held_out.pairs);
}

/// A scene with so many things that fit the phrase, and others.
Scene scene_with(Draft& draft, const Phrase& phrase, std::size_t count) {
  const std::size_t others = pick(draft.engine, most_objects + 1 - count);
  Description description{.mood = pick(draft.engine, moods.size()), .phrases = {}};
  if (count > 0) {
    description.phrases.push_back(phrase);
    description.phrases.back().count = static_cast<std::int64_t>(count);
  }
  for (std::size_t i = 0; i < others; ++i) {
    Phrase other = any_phrase(draft, 1, 1, 0);
    if (phrase.colour && draft.chance(0.3)) other.shape = phrase.shape;  // unlike the phrase in one attribute only
    if (phrase.colour && draft.chance(0.3)) other.colour = phrase.colour;
    while (overlap(other, phrase) || draft.held_out.pairs[pair_of(*other.colour, other.shape)]) {
      other = any_phrase(draft, 1, 1, 0);
    }
    description.phrases.push_back(other);
  }
  return realise(description, draft.engine, draft.held_out.pairs);
}

struct Question {
  Scene scene;
  std::string text, answer;
};

Question exist(Draft& draft, const Phrase& phrase) {
  const bool there = draft.chance(0.5);
  Phrase asked = phrase;
  asked.count = 1;
  return {scene_with(draft, asked, there ? 1 + pick(draft.engine, 2) : 0),
          draft.request("question.exist", {{"d", say(asked, &draft.engine)}}), yes_or_no(there)};
}

Question count(Draft& draft, const Phrase& phrase) {
  const std::size_t number = pick(draft.engine, most_objects + 1);
  return {scene_with(draft, phrase, number),
          draft.request("question.count", {{"t", say_things(phrase, &draft.engine)}}),
          number_word(static_cast<std::int64_t>(number))};
}

/// What is asked for and what names the thing: an attribute is asked of a thing that the two others name alone.
Question attribute(Draft& draft, const std::string& type) {
  for (;;) {
    const Scene scene = any_scene(draft);
    const Object& object = scene.objects[pick(draft.engine, scene.objects.size())];
    const auto alone = [&](auto same) { return std::ranges::count_if(scene.objects, same) == 1; };
    if (type == "shape") {
      const bool by_size = draft.chance(0.4);
      if (!alone([&](const Object& o) { return o.colour == object.colour && (!by_size || o.size == object.size); })) {
        continue;
      }
      std::string name = fmt::format("{} thing", colours[object.colour]);
      if (by_size) name = fmt::format("{} {}", sizes[object.size], name);
      return {scene, draft.request("question.shape", {{"n", name}}), shapes[object.shape]};
    }
    Phrase name{.shape = object.shape};
    if (type == "colour" && draft.chance(0.4)) name.size = object.size;
    if (type == "size" && draft.chance(0.7)) name.colour = object.colour;
    if (count_of(scene.objects, name) != 1) continue;
    return {scene, draft.request("question." + type, {{"n", say_name(name, &draft.engine)}}),
            type == "colour" ? colours[object.colour] : sizes[object.size]};
  }
}

Question mood(Draft& draft) {
  Scene scene = any_scene(draft, 0);
  return {scene, draft.request("question.mood", {}), moods[scene.mood]};
}

Question relation(Draft& draft) {
  Phrase first, second;
  do {
    first = any_phrase(draft, 1, 0.7, 0);
    second = any_phrase(draft, 1, 0.7, 0);
  } while (first.shape == second.shape || draft.held_out.relations[first.shape * shapes.size() + second.shape]);
  const std::size_t asked = pick(draft.engine, relations.size());
  const bool true_one = draft.chance(0.5);
  Description description{.mood = pick(draft.engine, moods.size()),
                          .phrases = {first, second},
                          .relation = true_one ? asked : asked ^ 1U};  // else the opposite
  if (draft.chance(0.4)) {
    Phrase third = any_phrase(draft, 1, 1, 0);
    while (third.shape == first.shape || third.shape == second.shape) third = any_phrase(draft, 1, 1, 0);
    description.phrases.push_back(third);
  }
  return {realise(description, draft.engine, draft.held_out.pairs),
          draft.request("question.relation", {{"a", say_name(first, &draft.engine)},
                                              {"r", say_relation(asked, &draft.engine)},
                                              {"b", say_name(second, &draft.engine)}}),
          yes_or_no(true_one)};
}

Question compare(Draft& draft) {
  const bool more = draft.chance(0.5);
  const Phrase first = any_phrase(draft, 1, 0.3, 0), second = other_phrase(draft, first, 1, 0.3, 0);
  std::size_t of_first = 0, of_second = 0;
  do {
    of_first = pick(draft.engine, most_objects + 1);
    of_second = pick(draft.engine, most_objects + 1 - of_first);
  } while ((of_first > of_second) != more || of_first + of_second == 0);
  Description description{.mood = pick(draft.engine, moods.size()), .phrases = {}};
  for (auto [phrase, number] : {std::pair(first, of_first), std::pair(second, of_second)}) {
    phrase.count = static_cast<std::int64_t>(number);
    if (number > 0) description.phrases.push_back(phrase);
  }
  return {realise(description, draft.engine, draft.held_out.pairs),
          draft.request("question.compare",
                        {{"t", say_things(first, &draft.engine)}, {"u", say_things(second, &draft.engine)}}),
          yes_or_no(more)};
}

}  // namespace

void make_question(Draft& draft, const std::string& type, const std::string& held_out) {
  Question question;
  Phrase phrase = any_phrase(draft, 1, 0.6, 0);
  if (held_out == "pair") {
    while (!draft.held_out.pairs[pair_of(phrase.colour.value_or(0), phrase.shape)] || !phrase.colour) {
      phrase = {1, {}, pick(draft.engine, colours.size()), pick(draft.engine, shapes.size())};
    }
  }
  if (type == "exist")
    question = exist(draft, phrase);
  else if (type == "count")
    question = count(draft, phrase);
  else if (type == "mood")
    question = mood(draft);
  else if (type == "relation")
    question = relation(draft);
  else if (type == "compare")
    question = compare(draft);
  else
    question = attribute(draft, type);
  draft.label("scene", to_text(question.scene));
  draft.label("answer", question.answer);
  draft.ask(std::move(question.text), &question.scene);
  draft.answer(std::move(question.answer));
}

std::string answer_to(const std::string& type, const Phrase& phrase, const Scene& scene) {
  const std::int64_t count = count_of(scene.objects, phrase);
  if (type == "count") return number_word(count);
  if (type == "exist") return yes_or_no(count > 0);
  const auto named = std::ranges::find_if(scene.objects, [&](const Object& object) { return fits(object, phrase); });
  return count == 1 ? colours[named->colour] : "";
}

Asked ask_about(Draft& draft, const Scene& scene) {
  const auto any_thing = [&]() -> const Object& { return scene.objects[pick(draft.engine, scene.objects.size())]; };
  Asked asked{.type = "exist"};
  const std::size_t kind = scene.objects.empty() ? 0 : pick(draft.engine, 3);
  if (kind == 1) {
    asked.phrase = {.shape = any_thing().shape};
    if (count_of(scene.objects, asked.phrase) == 1) asked.type = "colour";
  } else if (kind == 2) {
    asked.type = "count";
  }
  if (asked.type != "colour") {
    asked.phrase = any_phrase(draft, 1, 0.6, 0);
    const bool there = draft.chance(0.5);  // drawn before the phrase, so that yes and no are even
    if (there && !scene.objects.empty()) {
      const Object& thing = any_thing();
      asked.phrase.shape = thing.shape;
      if (asked.phrase.colour) asked.phrase.colour = thing.colour;
    }
    while (!there && count_of(scene.objects, asked.phrase) > 0) asked.phrase = any_phrase(draft, 1, 0.6, 0);
  }
  asked.answer = answer_to(asked.type, asked.phrase, scene);
  const std::string what = "question." + asked.type;
  asked.question = asked.type == "count"    ? draft.request(what, {{"t", say_things(asked.phrase, &draft.engine)}})
                   : asked.type == "colour" ? draft.request(what, {{"n", say_name(asked.phrase, &draft.engine)}})
                                            : draft.request(what, {{"d", say(asked.phrase, &draft.engine)}});
  return asked;
}

}  // namespace blip3u::scenes
