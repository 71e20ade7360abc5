#include "evaluating/influence.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "blip3u/random.h"
#include "io/interrupt.h"

namespace blip3u {

namespace {

constexpr std::size_t most_blocks = 400;  // each costs a summary of nearly all records

std::string group_of(const ItemRecord& record) { return record.group.empty() ? record.id : record.group; }

/// The block of each record. A group's block depends on its name alone, so that it is the same for every model.
std::vector<std::string> blocks_of(const std::vector<ItemRecord>& records) {
  std::vector<std::string> blocks;
  for (const ItemRecord& record : records) blocks.push_back(group_of(record));
  if (std::set<std::string>(blocks.begin(), blocks.end()).size() <= most_blocks) return blocks;
  for (std::string& block : blocks) block = fmt::format("block {}", derive_seed(0, block) % most_blocks);
  return blocks;
}

}  // namespace

Influences influences_of(const std::vector<Score>& scores, const std::vector<ItemRecord>& records,
                         const std::function<std::vector<Score>(std::span<const ItemRecord>)>& summarise) {
  Influences result;
  for (const Score& score : scores) {
    if (!score.reference) result.try_emplace(score.name);
  }
  if (result.empty()) return result;
  const std::vector<std::string> blocks = blocks_of(records);
  std::vector<ItemRecord> all = records, rest;
  for (ItemRecord& record : all) record.images.clear();
  for (const std::string& block : std::set<std::string>(blocks.begin(), blocks.end())) {
    const auto swap_rest = [&] {  // records move aside and back: to copy them takes long
      std::size_t place = 0;
      for (std::size_t i = 0; i < all.size(); ++i) {
        if (blocks[i] != block) std::swap(all[i], rest[place++]);
      }
    };
    rest.assign(static_cast<std::size_t>(std::ranges::count_if(blocks, [&](const auto& b) { return b != block; })), {});
    swap_rest();
    std::vector<Score> without;
    try {
      without = summarise(rest);
    } catch (const Interrupted&) {
      throw;
    } catch (const Error&) {
      without.clear();  // it was all that a score was made of
    }
    swap_rest();
    for (const Score& score : scores) {
      const auto same = std::ranges::find(without, score.name, &Score::name);
      if (score.reference || same == without.end() || same->value == score.value) continue;
      result[score.name][block] = score.value - same->value;
    }
  }
  return result;
}

}  // namespace blip3u
