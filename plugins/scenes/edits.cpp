// Edits: a picture and what to change of it. All that the instruction does not name stays where it is.
#include "scenes/draft.h"

namespace blip3u::scenes {

namespace {

constexpr std::array<const char*, 4> sides = {"left", "right", "top", "bottom"};

/// `whole`: the instruction names the thing's size and colour.
std::optional<Edit> insert(Draft& draft, const Scene& scene, bool whole) {
  if (scene.objects.size() >= most_objects) return std::nullopt;
  const Phrase added = any_phrase(draft, 1, whole ? 1 : 0.9, whole ? 1 : 0.4);
  if (count_of(scene.objects, {.shape = added.shape}) > 0 && !added.colour) return std::nullopt;
  const Object object = thing_of(added, draft.engine, draft.held_out.pairs);
  const bool beside = !scene.objects.empty() && draft.chance(0.4);
  const std::size_t other = beside ? pick(draft.engine, scene.objects.size()) : 0;
  const auto name = beside ? unique_name(draft, scene, other) : std::nullopt;
  const std::size_t relation = pick(draft.engine, relations.size());
  if (beside &&
      (!name || name->shape == added.shape || draft.held_out.relations[added.shape * shapes.size() + name->shape])) {
    return std::nullopt;
  }
  for (int tries = 0; tries < 40; ++tries) {
    const auto there = placed(object, scene.objects, draft.engine, 10);
    if (!there || (beside && !related(*there, relation, scene.objects[other], 0.65))) continue;
    Edit edit{.type = "insert", .target = scene, .wanted = {.phrases = {added}}};
    edit.target.objects.push_back(*there);
    std::string text = say(added, &draft.engine);
    if (beside) {
      text += fmt::format(" {}", say_relation(relation, &draft.engine));
      text += fmt::format(" the {}", say_name(*name, &draft.engine));
      edit.wanted.phrases.push_back(*name);
      edit.wanted.relation = relation;
    }
    edit.instruction = draft.request("edit.insert", {{"d", text}});
    return edit;
  }
  return std::nullopt;
}

std::optional<Edit> move(Draft& draft, const Scene& scene, std::size_t which, const Phrase& name) {
  constexpr double least_way = 0.25;
  const std::size_t side = pick(draft.engine, sides.size());
  Edit edit{.type = "move", .target = scene};
  Object& moved = edit.target.objects[which];
  const Extent extent = extent_of(moved.shape, moved.size);
  const double from = side < 2 ? moved.x : moved.y;
  const double to = side == 0   ? lattice_above(extent.left + edge)
                    : side == 1 ? lattice_below(1 - extent.right - edge)
                    : side == 2 ? lattice_above(extent.up + edge)
                                : lattice_below(1 - extent.down - edge);
  (side < 2 ? moved.x : moved.y) = to;
  std::vector<Object> others = scene.objects;
  others.erase(others.begin() + static_cast<std::ptrdiff_t>(which));
  if (std::abs(to - from) < least_way || !has_room(moved, others)) return std::nullopt;
  edit.instruction = draft.request("edit.move", {{"n", say_name(name, &draft.engine)}, {"s", sides[side]}});
  return edit;
}

std::optional<Edit> change(Draft& draft, const std::string& type, const Scene& scene) {
  if (scene.objects.empty()) return std::nullopt;
  const std::size_t which = pick(draft.engine, scene.objects.size());
  const auto name = unique_name(draft, scene, which);
  if (!name) return std::nullopt;
  if (type == "move") return move(draft, scene, which, *name);
  const std::string spoken = say_name(*name, &draft.engine);
  Edit edit{.type = type, .target = scene};
  Object& object = edit.target.objects[which];
  if (type == "delete") {
    edit.target.objects.erase(edit.target.objects.begin() + static_cast<std::ptrdiff_t>(which));
    edit.instruction = draft.request("edit.delete", {{"n", spoken}});
    return edit;
  }
  if (type == "recolour") {
    const std::size_t colour = pick(draft.engine, colours.size());
    if (colour == object.colour || draft.held_out.pairs[pair_of(colour, object.shape)]) return std::nullopt;
    object.colour = colour;
    edit.instruction = draft.request("edit.recolour", {{"n", spoken}, {"c", colours[colour]}});
    return edit;
  }
  // replace: another shape of the same size at the same place
  const Phrase with = any_phrase(draft, 1, 1, 0);
  std::vector<Object> others = scene.objects;
  others.erase(others.begin() + static_cast<std::ptrdiff_t>(which));
  object.shape = with.shape;
  object.colour = *with.colour;
  if (with.shape == scene.objects[which].shape || !has_room(object, others)) return std::nullopt;
  edit.instruction = draft.request("edit.replace", {{"n", spoken}, {"d", say(with, &draft.engine)}});
  return edit;
}

}  // namespace

std::optional<Edit> any_edit(Draft& draft, const std::string& type, const Scene& scene, bool whole) {
  std::optional<Edit> edit;
  if (type == "insert") {
    edit = insert(draft, scene, whole);
  } else if (type == "restyle") {
    const std::size_t mood = pick(draft.engine, moods.size());
    if (mood == scene.mood) return std::nullopt;
    edit = Edit{.type = type,
                .instruction = draft.request("edit.restyle", {{"m", say_mood(mood, &draft.engine)}}),
                .target = scene};
    edit->target.mood = mood;
  } else {
    edit = change(draft, type, scene);
  }
  if (!edit || !may_be_drawn(edit->target)) return std::nullopt;
  if (edit->wanted.phrases.empty()) edit->wanted = describe(edit->target);
  return edit;
}

void make_edit(Draft& draft, const std::string& type) {
  for (;;) {
    const std::size_t most = type == "insert" ? most_objects - 1 : most_objects;
    const Scene source = random_scene(1 + pick(draft.engine, most), draft.engine, draft.held_out.pairs);
    const auto edit = any_edit(draft, type, source, /*whole=*/false);
    if (!edit) continue;
    draft.label("source", to_text(source));
    draft.label("target", to_text(edit->target));
    draft.label("wanted", to_text(edit->wanted));
    draft.ask(edit->instruction, &source);
    draft.draw(edit->target);
    return;
  }
}

}  // namespace blip3u::scenes
