// Dialogues of two to six turns about one picture that changes, or another that takes its place.
#include "scenes/draft.h"

namespace blip3u::scenes {

void make_dialogue(Draft& draft, const std::string& type) {
  constexpr std::size_t most_turns = 6;
  const std::size_t turns = type == "six_turns" ? most_turns : 2 + pick(draft.engine, most_turns - 1);
  static constexpr const char* edits[] = {"insert", "delete", "replace", "recolour", "move", "restyle"};
  Scene scene;
  draft.label("turns", std::to_string(turns));
  for (std::size_t turn = 0; turn < turns; ++turn) {
    const auto label = [&](const char* name, const std::string& value) {
      draft.label(fmt::format("turn{}.{}", turn, name), value);
    };
    const std::size_t what = turn == 0 ? 0 : pick(draft.engine, 10);
    if (what == 0) {
      do {
        scene = random_scene(1 + pick(draft.engine, 3), draft.engine, draft.held_out.pairs);
      } while (!may_be_drawn(scene));
      const Description wanted = describe(scene);
      draft.ask(draft.request("draw", {{"d", say(wanted, &draft.engine)}}));
      draft.draw(scene);
      label("kind", "draw");
      label("wanted", to_text(wanted));
      label("target", to_text(scene));
    } else if (what < 6) {
      std::optional<Edit> edit;
      while (!edit) edit = any_edit(draft, edits[pick(draft.engine, std::size(edits))], scene, /*whole=*/true);
      draft.ask(edit->instruction);
      draft.draw(edit->target);
      label("kind", "edit");
      label("type", edit->type);
      label("source", to_text(scene));
      label("wanted", to_text(edit->wanted));
      label("target", to_text(edit->target));
      scene = edit->target;
    } else if (what < 7) {
      const std::string caption = say(describe(scene), nullptr);
      draft.ask(draft.request("caption", {}));
      draft.answer(caption);
      label("kind", "caption");
      label("answer", caption);
    } else {
      const Asked asked = ask_about(draft, scene);
      draft.ask(asked.question);
      draft.answer(asked.answer);
      label("kind", "question");
      label("type", asked.type);
      label("asked", to_text(Description{.phrases = {asked.phrase}}));
      label("answer", asked.answer);
    }
  }
}

}  // namespace blip3u::scenes
