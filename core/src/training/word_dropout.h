// Texts with some of their words left out, for training.
#pragma once

#include <string>
#include <vector>

#include "blip3u/export.h"
#include "blip3u/random.h"

namespace blip3u {

/// Leaves out each of the first 64 words of a text with the same probability, so that no word's meaning leans on the
/// others. Where that would leave nothing, one word stays, each as likely as any other: how many texts are empty is for
/// condition dropout to say. Text i draws from row i of `generator`.
BLIP3U_API void drop_words(std::vector<std::string>& texts, double probability, Generator& generator);

}  // namespace blip3u
