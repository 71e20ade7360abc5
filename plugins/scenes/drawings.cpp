// Prompts for pictures: GenEval's six types (Ghosh et al. 2023), size, mood, and whole scenes.
#include "scenes/draft.h"

namespace blip3u::scenes {

namespace {

bool is_held_out(const Draft& draft, const Phrase& first, const Phrase& second) {
  return draft.held_out.relations[first.shape * shapes.size() + second.shape];
}

Description position(Draft& draft, const std::string& held_out) {
  Description description{.phrases = {}, .relation = pick(draft.engine, relations.size())};
  const double coloured = draft.chance(0.6) ? 1 : 0;
  const std::int64_t many = draft.chance(0.25) ? 2 + static_cast<std::int64_t>(pick(draft.engine, 2)) : 1;
  Phrase first, second;
  do {
    first = any_phrase(draft, 1, coloured, many == 1 ? 0.15 : 0);
    second = other_phrase(draft, first, 1, coloured, many == 1 ? 0.15 : 0);
  } while (is_held_out(draft, first, second) != (held_out == "relation"));
  (draft.chance(0.5) ? first : second).count = many;
  description.phrases = {first, second};
  return description;
}

Phrase held_out_phrase(Draft& draft) {
  std::size_t pair = 0;
  do {
    pair = pick(draft.engine, draft.held_out.pairs.size());
  } while (!draft.held_out.pairs[pair]);
  return {1, {}, pair / shapes.size(), pair % shapes.size()};
}

Description described(Draft& draft, const std::string& type, const std::string& held_out) {
  if (held_out == "pair") {
    const Phrase first = held_out_phrase(draft);
    if (type == "colors") return {.phrases = {first}};
    return {.phrases = {first, other_phrase(draft, first, 1, 1, 0)}};
  }
  if (type == "single_object") return {.phrases = {any_phrase(draft, 1, 0, 0)}};
  if (type == "colors") return {.phrases = {any_phrase(draft, 1, 1, 0)}};
  if (type == "size") return {.phrases = {any_phrase(draft, 1, 0.5, 1)}};
  if (type == "counting") {
    const std::int64_t count = held_out == "count" ? 4 : 2 + static_cast<std::int64_t>(pick(draft.engine, 2));
    return {.phrases = {any_phrase(draft, count, 0.5, 0)}};
  }
  if (type == "mood") {
    Description description{.mood = pick(draft.engine, moods.size()), .phrases = {}};
    if (!draft.chance(0.05)) description.phrases.push_back(any_phrase(draft, 1, 0.7, 0));
    return description;
  }
  if (type == "position") return position(draft, held_out);
  const double coloured = type == "color_attribution" ? 1 : 0;
  const Phrase first = any_phrase(draft, 1, coloured, 0);
  return {.phrases = {first, other_phrase(draft, first, 1, coloured, 0)}};
}

}  // namespace

void make_drawing(Draft& draft, const std::string& type, const std::string& held_out) {
  Scene scene;
  Description wanted;
  const bool full = type == "full";
  if (!full) wanted = described(draft, type, held_out);
  do {
    scene = full ? random_scene(2 + pick(draft.engine, most_objects - 1), draft.engine, draft.held_out.pairs)
                 : realise(wanted, draft.engine, draft.held_out.pairs);
  } while (held_out != "count" && !may_be_drawn(scene));
  if (full) wanted = describe(scene);
  draft.label("wanted", to_text(wanted));
  draft.ask(draft.request("draw", {{"d", say(wanted, &draft.engine)}}));
  draft.draw(scene);
  draft.label("scene", to_text(scene));
}

}  // namespace blip3u::scenes
