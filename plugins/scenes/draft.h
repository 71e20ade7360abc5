// A conversation in the making.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "blip3u/content.h"
#include "scenes/conversations.h"
#include "scenes/render.h"

namespace blip3u::scenes {

/// What the parts of the world that make conversations share.
struct Draft {
  Engine& engine;
  const HeldOut& held_out;
  std::int64_t side;
  HeldOut guarded = {};  ///< what must not get in: all that is held out but for what the sample is to be of
  bool held_out_wording = false;
  Sample sample = {};

  void label(std::string name, std::string value) { sample.labels.emplace_back(std::move(name), std::move(value)); }

  std::string request(std::string_view what, const Filling& filling) {
    return scenes::request(what, filling, engine, held_out_wording);
  }

  /// The user's words, below a picture of the scene if one is given.
  void ask(std::string text, const Scene* shown = nullptr);
  void answer(std::string text);  ///< the assistant's words, which are learned
  void draw(const Scene& scene);  ///< the assistant's picture, which is learned; behind its words, if it spoke
  bool chance(double share) { return uniform(engine) < share; }
  void guard(const std::string& leak) const;  ///< throws Error unless it is empty

 private:
  std::int64_t add_picture(const Scene& scene, bool drawn);
};

/// A phrase at random that training may say.
Phrase any_phrase(Draft& draft, std::int64_t count, double with_colour, double with_size);

/// Another, of another shape than the first.
Phrase other_phrase(Draft& draft, const Phrase& first, std::int64_t count, double with_colour, double with_size);

/// Whether one object can fit both.
bool overlap(const Phrase& a, const Phrase& b);

/// The object's shortest name that fits no other of the scene, or a longer one; its count is 1. Nothing if even all of
/// its attributes fit another.
std::optional<Phrase> unique_name(Draft& draft, const Scene& scene, std::size_t object);

/// Whether the assistant may draw it: no shape four times.
bool may_be_drawn(const Scene& scene);

// Each fills the draft. Those of `draw` and the results of reasoning are described; see drawings.cpp and so on.
void make_drawing(Draft& draft, const std::string& type, const std::string& held_out);
void make_caption(Draft& draft);
void make_question(Draft& draft, const std::string& type, const std::string& held_out);
void make_edit(Draft& draft, const std::string& type);
void make_reasoning(Draft& draft, const std::string& type);
void make_dialogue(Draft& draft, const std::string& type);

/// What an edit asks for and comes to.
struct Edit {
  std::string type, instruction;
  Scene target;
  Description wanted;  ///< the target's, or what an insertion names: the thing, and its relation to another
};
/// An edit of that type of a scene; nothing if the scene does not allow one. `whole`: all of a thing that is added is
/// named, so that all who follow the instruction come to scenes alike but for places.
std::optional<Edit> any_edit(Draft& draft, const std::string& type, const Scene& scene, bool whole);

/// A question about a scene as it is: of the type `count`, `colour` or `exist`, about what the phrase names.
struct Asked {
  std::string type;
  Phrase phrase;
  std::string question, answer;
};
Asked ask_about(Draft& draft, const Scene& scene);

}  // namespace blip3u::scenes
