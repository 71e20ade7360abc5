#include "scenes/conversations.h"

#include <algorithm>

#include <fmt/format.h>

#include "blip3u/dataset.h"
#include "blip3u/error.h"
#include "scenes/draft.h"
#include "scenes/leaks.h"

namespace blip3u::scenes {

namespace {

/// Everything that is there, or with some attributes left unsaid, in any words: what an encoder's texts are.
std::string varied_caption(const Scene& scene, Engine& engine) {
  Description all = describe(scene);
  if (pick(engine, 4) == 0) return say(all, &engine);
  // Were colours always named, a contrast between captions would need nothing else, and no shape would be learned.
  const bool no_mood = pick(engine, 4) != 0, no_size = pick(engine, 4) != 0, no_colour = pick(engine, 2) == 0;
  Description some{.mood = no_mood ? std::nullopt : all.mood, .phrases = {}};
  for (Phrase phrase : all.phrases) {
    if (no_size) phrase.size.reset();
    if (no_colour) phrase.colour.reset();
    const auto same = std::ranges::find_if(some.phrases, [&](const Phrase& known) {
      return known.shape == phrase.shape && known.colour == phrase.colour && known.size == phrase.size;
    });
    if (same == some.phrases.end())
      some.phrases.push_back(phrase);
    else
      same->count += phrase.count;
  }
  return say(some, &engine);
}

}  // namespace

void Draft::guard(const std::string& leak) const {
  if (leak.empty()) return;
  throw Error(fmt::format("scenes: {} is held out but got into a sample ({} {}); please report this as a bug", leak,
                          label_of(sample, "kind"), label_of(sample, "type")));
}

std::int64_t Draft::add_picture(const Scene& scene, bool drawn) {
  guard(leak_in(scene, drawn, guarded));
  if (sample.images.empty() && scene.objects.size() == 1) {
    const Object& only = scene.objects.front();
    if (!held_out.pairs[pair_of(only.colour, only.shape)])
      label("class", say(Phrase{1, {}, only.colour, only.shape}, nullptr));
  }
  sample.images.push_back(render(scene, side));
  sample.captions.push_back(varied_caption(scene, engine));
  return std::ssize(sample.images) - 1;
}

void Draft::ask(std::string text, const Scene* shown) {
  Message message{Role::user, {}};
  if (shown != nullptr) message.content.push_back(image_part(add_picture(*shown, false)));
  message.content.push_back(text_part(std::move(text)));
  sample.messages.push_back(std::move(message));
}

void Draft::answer(std::string text) { sample.messages.push_back({Role::assistant, {text_part(std::move(text), 1)}}); }

void Draft::draw(const Scene& scene) {
  if (sample.messages.back().role != Role::assistant) sample.messages.push_back({Role::assistant, {}});
  sample.messages.back().content.push_back(image_part(add_picture(scene, true), 1));
}

Phrase any_phrase(Draft& draft, std::int64_t count, double with_colour, double with_size) {
  Phrase phrase{.count = count};
  do {
    phrase.shape = pick(draft.engine, shapes.size());
    phrase.colour = pick(draft.engine, colours.size());
  } while (draft.held_out.pairs[pair_of(*phrase.colour, phrase.shape)]);
  if (!draft.chance(with_colour)) phrase.colour.reset();
  if (draft.chance(with_size)) phrase.size = pick(draft.engine, sizes.size());
  return phrase;
}

Phrase other_phrase(Draft& draft, const Phrase& first, std::int64_t count, double with_colour, double with_size) {
  Phrase other = any_phrase(draft, count, with_colour, with_size);
  while (other.shape == first.shape) other = any_phrase(draft, count, with_colour, with_size);
  return other;
}

bool overlap(const Phrase& a, const Phrase& b) {
  return a.shape == b.shape && !(a.colour && b.colour && *a.colour != *b.colour) &&
         !(a.size && b.size && *a.size != *b.size);
}

std::optional<Phrase> unique_name(Draft& draft, const Scene& scene, std::size_t object) {
  const Object& named = scene.objects[object];
  const Phrase shape{1, {}, {}, named.shape}, colour{1, {}, named.colour, named.shape},
      size{1, named.size, {}, named.shape}, all{1, named.size, named.colour, named.shape};
  std::vector<Phrase> unique;
  for (const Phrase& phrase : {shape, colour, size, all}) {
    if (count_of(scene.objects, phrase) == 1) unique.push_back(phrase);
  }
  if (unique.empty()) return std::nullopt;
  return draft.chance(0.5) ? unique.front() : unique[pick(draft.engine, unique.size())];
}

bool may_be_drawn(const Scene& scene) {
  for (std::size_t shape = 0; shape < shapes.size(); ++shape) {
    if (count_of(scene.objects, {.shape = shape}) >= 4) return false;
  }
  return true;
}

void make_caption(Draft& draft) {
  const Scene scene = random_scene(1 + pick(draft.engine, most_objects), draft.engine, draft.held_out.pairs);
  draft.label("scene", to_text(scene));
  draft.label("answer", say(describe(scene), nullptr));
  draft.ask(draft.request("caption", {}), &scene);
  draft.answer(say(describe(scene), nullptr));
}

const std::vector<Family>& families() {
  static const std::vector<Family> all = {
      {"draw",
       0.38,
       {"single_object", "two_object", "counting", "colors", "position", "color_attribution", "size", "mood", "full"}},
      {"caption", 0.06, {"caption"}},
      {"question", 0.2, {"exist", "count", "colour", "shape", "size", "mood", "relation", "compare"}},
      {"edit", 0.16, {"insert", "delete", "replace", "recolour", "move", "restyle"}},
      {"reasoning", 0.08, {"arithmetic", "opposite", "ordering", "knowledge", "chain"}},
      {"dialogue", 0.12, {"dialogue"}}};
  return all;
}

Aim Conversations::any_aim(Engine& engine) {
  double left = uniform(engine);
  for (const Family& family : families()) {
    left -= family.share;
    if (left >= 0 && &family != &families().back()) continue;
    std::vector<const char*> types = family.types;
    // What is learned last is shown most.
    static constexpr std::pair<std::string_view, std::size_t> more[] = {
        {"position", 6}, {"counting", 1}, {"color_attribution", 1}, {"full", 1}, {"relation", 3},
        {"compare", 2},  {"move", 1}};
    for (const char* type : family.types) {
      for (const auto& [name, times] : more) {
        if (name == type) types.insert(types.end(), times, type);
      }
    }
    return {.kind = family.kind, .type = types[pick(engine, types.size())]};
  }
  throw Error("scenes: there is no kind of conversation; please report this as a bug");
}

Sample Conversations::make(const Aim& aim, Engine& engine) const {
  Draft draft{.engine = engine,
              .held_out = held_out_,
              .side = side_,
              .guarded = held_out_,
              .held_out_wording = aim.held_out_wording};
  if (aim.held_out == "pair") draft.guarded.pairs.reset();
  if (aim.held_out == "relation") draft.guarded.relations.reset();
  if (aim.held_out == "count") draft.guarded.four = false;
  draft.label("kind", aim.kind);
  draft.label("type", aim.type);
  draft.label("wording", aim.held_out_wording ? "held_out" : "seen");
  draft.label("held_out", aim.held_out);
  if (aim.kind == "draw")
    make_drawing(draft, aim.type, aim.held_out);
  else if (aim.kind == "caption")
    make_caption(draft);
  else if (aim.kind == "question")
    make_question(draft, aim.type, aim.held_out);
  else if (aim.kind == "edit")
    make_edit(draft, aim.type);
  else if (aim.kind == "reasoning")
    make_reasoning(draft, aim.type);
  else
    make_dialogue(draft, aim.type);
  for (const Message& message : draft.sample.messages) {
    for (const Part& part : message.content) draft.guard(leak_in(part.text, draft.guarded));
  }
  for (const std::string& caption : draft.sample.captions) draft.guard(leak_in(caption, draft.guarded));
  return std::move(draft.sample);
}

}  // namespace blip3u::scenes
