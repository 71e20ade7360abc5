// Items of tasks from test samples of scenes, by their labels, and what replies to them are worth.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "blip3u/task.h"
#include "model/messages.h"
#include "scenes/description.h"

namespace blip3u::scenes {

/// Calls take(sample, id) for the test samples of one kind (label "kind") until it returns false; ids are unique among
/// several data sets. Samples of other kinds cost their drawing, and chapters mostly hold one kind: a chapter is passed
/// over where its first eight samples are all of others.
void for_each_test_sample(const TaskData& data, std::string_view kind,
                          const std::function<bool(Sample&& sample, const std::string& id)>& take);

/// An empty string if there are test samples of that kind, else why the task cannot run.
std::string missing_test_samples(const TaskData& data, std::string_view kind);

/// What training did not see of a sample: "seen" if nothing, else unseen_pairs, unseen_relations, unseen_counts or, of
/// what it saw in other words, unseen_wordings.
std::string part_of(const Sample& sample);

/// An item that asks for the sample's message of that number, the assistant's, from all that stands before it, and the
/// pictures which that names.
Item item_before(const Sample& sample, std::size_t message);

/// The place of the assistant's last message; 0 if there is none.
std::size_t last_reply(const Sample& sample);

/// The first `most` of each type that training saw, and of each part that it did not see as many in all, of its types
/// equally many; `most` of 0: all. Items tell both by the labels "type" and "part". `shown` of each type and part are
/// shown.
std::vector<Item> allotted(std::vector<Item> items, std::int64_t most, std::int64_t shown);

/// The description that an item's label "wanted" holds; without one, what is true of every scene.
Description wanted_of(const Item& item);

/// A picture as the scorer reads it: one of another size or form is brought to a square of 32 to 64 pixels first.
Tensor readable(const Tensor& picture);

// ----- Scores

/// So many of so many.
struct Share {
  std::int64_t right = 0, count = 0;

  void add(bool is_right) {
    right += is_right ? 1 : 0;
    ++count;
  }
};

/// Shares by names.
using Shares = std::map<std::string, Share>;

Score score_of(const std::string& name, const char* protocol, const Share& share);

/// Values of 0 and 1 in clusters that fail together: pictures of one prompt.
struct Clustered {
  std::vector<double> values;
  std::vector<std::int64_t> clusters;

  void add(double value, std::int64_t cluster) {
    values.push_back(value);
    clusters.push_back(cluster);
  }
};

/// The unweighted mean of the shares of types. Its interval is Clopper & Pearson's for that many independent items of
/// one share as would vary as much as the mean does, by the linearised variance between clusters; where nothing varies,
/// of as many as there are clusters.
Score mean_over_types(const std::string& name, const char* protocol, const std::vector<const Clustered*>& types);

inline constexpr const char* strict_protocol = "scenes_strict@1";
inline constexpr const char* compatible_protocol = "scenes_geneval@1";
inline constexpr const char* edit_protocol = "scenes_edit@1";
inline constexpr const char* words_protocol = "exact_match@1";

}  // namespace blip3u::scenes
