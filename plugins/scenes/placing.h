// Scenes drawn at random to fit a description.
#pragma once

#include <optional>
#include <random>
#include <vector>

#include "scenes/description.h"

namespace blip3u::scenes {

/// Random numbers of one sample: decided by its seed alone.
using Engine = std::mt19937_64;

/// A whole number of [0, count).
std::size_t pick(Engine& engine, std::size_t count);

/// A number of [0, 1).
double uniform(Engine& engine);

/// A thing that the phrase names, without a place. What it leaves open is drawn, but none of the pairs `without`.
Object thing_of(const Phrase& phrase, Engine& engine, const Pairs& without);

/// Room that objects keep between their extents, and to the picture's edge, in shares of its side. At 32 pixels, the
/// first leaves a pixel of plain ground between any two.
inline constexpr double gap = 0.063, edge = 0.015;

/// Centres lie at whole steps of a lattice of so many steps a side, so that a model of small capacity meets each part
/// of a thing in few positions; anywhere only in scenes that have no room otherwise.
inline constexpr double lattice = 8;
double lattice_above(double place);  ///< the least step that is not below the place
double lattice_below(double place);  ///< the greatest that is not above it

/// Whether the object lies within the picture and apart from all others.
bool has_room(const Object& object, const std::vector<Object>& others);

/// A place for the object apart from the others; nothing if none was found in so many tries.
std::optional<Object> placed(Object object, const std::vector<Object>& others, Engine& engine, int tries = 60);

/// A scene that holds what is described and no more. What the description leaves open is drawn, but none of the pairs
/// `without`. Throws Error if there is no room, which four large things in a relation may lack.
Scene realise(const Description& description, Engine& engine, const Pairs& without = {});

/// So many things at random, none of the pairs `without`.
Scene random_scene(std::size_t count, Engine& engine, const Pairs& without = {});

}  // namespace blip3u::scenes
