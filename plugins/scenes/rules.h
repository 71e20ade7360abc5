// The rules by which pictures are right: GenEval's (Ghosh et al. 2023, evaluate.py) on what was read exactly, and what
// edits must change and keep.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "scenes/description.h"
#include "scenes/reading.h"

namespace blip3u::scenes {

/// One fact that a description states, as GenEval 2 counts them.
struct Atom {
  enum class Kind { object, colour, size, count, relation, mood };
  Kind kind = Kind::object;
  bool right = false;
};
inline constexpr std::array<const char*, 6> atom_kinds = {"object", "colour", "size", "count", "relation", "mood"};

struct Verdict {
  /// Everything is read, and it is what is described and no more; all of the relation's first things stand so to all of
  /// its second.
  bool strict = false;
  /// GenEval's: there are as many as described of each phrase, and of counted ones no more; other things may be there,
  /// readable or not. Of several that fit a phrase, those count that make the picture right: the exact scorer has no
  /// confidence to choose the first of them by.
  bool compatible = false;
  /// Each phrase's object (one of its shape is there), colour and size (as many as asked for, of those that are there),
  /// count of its shape where it is not one, then the relation and the mood.
  std::vector<Atom> atoms;
};

Verdict judge(const Reading& reading, const Description& description);

/// How many facts a description states.
std::int64_t atoms_in(const Description& description);

struct EditVerdict {
  bool changed = false;  ///< what the edit names
  bool kept = false;     ///< all else, and nothing was added: objects where they were, within 2 pixels, and the ground
};

/// Judges an edit of `source` that `target` is one right outcome of. What stands in both at one place is to be kept.
/// A new thing may stand anywhere, unless it stands for one that is gone at its place (a replaced or recoloured one).
/// Of one that is added, what its phrase in `wanted` leaves open may be anything. One that is added stands in the
/// relation of `wanted`, if that has one. One that moves goes at least three quarters of the target's way, and not
/// aside by more than 2 pixels. A picture that cannot be read has not changed.
EditVerdict judge_edit(const Scene& source, const Scene& target, const Description& wanted, const Reading& reading,
                       std::int64_t side);

/// What the change from `source` to `target` comes to in a scene that holds the same things at other places: where a
/// dialogue stands after the model drew its own picture. Nothing if a thing that changes isn't there.
std::optional<Scene> carried_over(const Scene& source, const Scene& target, Scene own);

/// Whether the reading holds exactly the scene's objects, within so many pixels of their places, on its ground.
bool same_scene(const Scene& scene, const Reading& reading, std::int64_t side, double pixels = 2);

}  // namespace blip3u::scenes
