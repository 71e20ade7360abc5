// Asks a model for the replies to items.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "blip3u/task.h"
#include "model/best_of.h"

namespace blip3u {

/// Items that are asked together: places in a list of items.
using ItemBatch = std::vector<std::size_t>;

/// Items in batches, each after which what was replied can be stored. Those that are classified together have the same
/// choices.
BLIP3U_API std::vector<ItemBatch> batches_of(Model::Ability ability, const std::vector<Item>& items,
                                             const std::vector<std::size_t>& wanted);

/// The replies to each item of a batch, in its order. Reply k to an item has the seed
/// derive_seed(derive_seed(derive_seed(seed, "items"), item.id), k), whatever else is asked. Pictures for classify and
/// reconstruct are brought to image_size; 0 leaves them as they are. With `choosing`, pictures are made by
/// best_replies().
BLIP3U_API std::vector<std::vector<Output>> ask(Model& model, Model::Ability ability, const std::vector<Item>& items,
                                                const ItemBatch& batch, std::int64_t image_size, std::uint64_t seed,
                                                const Choosing& choosing = {});

}  // namespace blip3u
