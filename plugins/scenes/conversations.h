// Conversations about scenes: each is made from a scene that is known exactly, and says so in its labels.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "blip3u/content.h"
#include "scenes/language.h"

namespace blip3u::scenes {

/// What training never sees. Pairs of colour and shape: in no picture and no text. Ordered pairs of shapes (first *
/// shapes + second): no text says how the first stands to the second. Four things of one
/// shape: in no picture that the assistant makes.
struct HeldOut {
  Pairs pairs;
  std::bitset<shapes.size() * shapes.size()> relations;
  bool four = true;
};

/// What a sample is to be of.
struct Aim {
  std::string kind;             ///< draw, caption, question, edit, reasoning, dialogue
  std::string type;             ///< of the kind: "counting", "recolour", ...
  std::string held_out = "no";  ///< draw and question: pair; draw: relation, count
  bool held_out_wording = false;
};

/// A kind and its types, and its share of training.
struct Family {
  const char* kind;
  double share;
  std::vector<const char*> types;
};
const std::vector<Family>& families();

/// The answer to a question of the type `count`, `exist` or `colour` about what the phrase names; of the last, ""
/// unless it names one thing.
std::string answer_to(const std::string& type, const Phrase& phrase, const Scene& scene);

/// Makes samples without id. They are decided by the engine alone.
class Conversations {
 public:
  Conversations(HeldOut held_out, std::int64_t side) : held_out_(held_out), side_(side) {}

  /// Labels: kind, type, wording (seen or held_out), held_out; "wanted", the description that is to be drawn or, of an
  /// edit, Edit::wanted; "scene", that of the picture; "source" and "target" of an edit; "answer" of what is answered;
  /// "reasoning" (on or off). Of a dialogue "turns" and of turn N, from 0 on, "turnN.kind", the "turnN.type" of edits
  /// and questions, "turnN.wanted" and "turnN.target" of pictures, "turnN.source" of edits, "turnN.answer" and, of
  /// questions, what they ask about, "turnN.asked". "class" where the first picture shows one thing alone that training
  /// may see.
  Sample make(const Aim& aim, Engine& engine) const;

  /// One of training's mixture.
  static Aim any_aim(Engine& engine);

 private:
  HeldOut held_out_;
  std::int64_t side_;
};

}  // namespace blip3u::scenes
