// task: an evaluation in three parts. It lists items, scores what the model made of one, and sums up. The core asks the
// model, in batches, keeps every reply, goes on after a stop, and scores stored replies again.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "blip3u/component.h"
#include "blip3u/dataset.h"
#include "blip3u/model.h"

namespace blip3u {

/// One thing that is asked of the model.
struct Item {
  std::string id;                      ///< unique within the task, UTF-8; decides the item's random numbers
  std::vector<Message> messages = {};  ///< all but classify and reconstruct: what the reply goes on with
  /// answer, generate, converse: the user's messages after that reply, one after each reply. The model's own replies,
  /// pictures included, are in the conversation by then. Pictures in these messages are numbered in `images`, as those
  /// of `messages` are; `text` and `image` apply to every reply.
  std::vector<Message> follow_ups = {};
  std::vector<Tensor> images = {};        ///< [3,H,W] uint8 on the CPU; classify and reconstruct ask about the first
  std::vector<std::string> choices = {};  ///< classify: captions; choose: replies
  TextSampling text = {};
  ImageSampling image = {};
  std::int64_t replies = 1;                        ///< how many, each with random numbers of its own
  std::string expected;                            ///< for people and for score(); may be empty
  std::string group;                               ///< items of one group (a picture, a prompt) stand and fall together
  bool shown = false;                              ///< score() is to give pictures of it to the report
  std::map<std::string, std::string> labels = {};  ///< what else score() wants to know
};

/// One reply to an item, as it is stored.
struct Output {
  std::string text = {};                ///< answer, generate, converse: the words of the reply
  std::vector<Tensor> images = {};      ///< [3,S,S] uint8 on the CPU: its pictures; reconstruct: the picture
  std::vector<double> choices = {};     ///< classify: cosine similarity of each choice; choose: its log-likelihood
  std::vector<Output> follow_ups = {};  ///< the replies to Item::follow_ups
};

/// A picture for the report with a line of text below it.
struct LabelledImage {
  Tensor image;  ///< [3,H,W] uint8 on the CPU
  std::string label;
  bool good = true;
};

/// One scored reply.
struct ItemRecord {
  std::string id, input, output, expected;  ///< for people
  double score = 0;
  std::string group = {};
  std::map<std::string, double> values = {};       ///< what summarise() wants to know besides the score
  std::map<std::string, std::string> labels = {};  ///< the same, texts
  std::vector<LabelledImage> images = {};          ///< for the report
};

/// One reported figure.
struct Score {
  std::string name;          ///< e.g. "generation/seen"
  std::string protocol;      ///< the named scorer, e.g. "shapes@2"
  double value = 0;          ///< 1 for a perfect model where higher is better
  double low = 0, high = 0;  ///< 95 % confidence interval
  std::string interval;      ///< how it was computed: "wilson", "student over clusters", ...
  std::int64_t count = 0;    ///< items scored
  bool higher_is_better = true;
  bool reference = false;  ///< a floor, a ceiling, the scorer's own accuracy or a part of a score, shown beside
};

/// What a task draws its items from.
struct TaskData {
  std::span<const Dataset* const> datasets;  ///< of the recipe, in its order; not owned
  std::int64_t image_size = 0;               ///< pixels a side of the pictures that the model makes
};

/// All members may be called from several threads at once.
class BLIP3U_API Task : public Component {
 public:
  ~Task() override;

  /// The ability that the task asks of the model. Without it the report says why the task did not run.
  virtual Model::Ability needs() const = 0;

  /// An empty string if the data can serve the task, else why not, in one sentence that says how to mend it. The runner
  /// asks before it trains, reports the task as not applicable and does not call items().
  virtual std::string missing_for(const TaskData&) const { return {}; }

  /// What is asked: always the same for the same data and seed.
  virtual std::vector<Item> items(const TaskData&, std::uint64_t seed) const = 0;

  /// Scores the item's replies, item.replies of them: one record each, in their order. Decided by its arguments alone.
  virtual std::vector<ItemRecord> score(const Item& item, std::span<const Output> outputs) const = 0;

  /// The figures, from the records of all items in their order. Decided by its arguments alone.
  virtual std::vector<Score> summarise(const TaskData&, std::span<const ItemRecord> records,
                                       std::uint64_t seed) const = 0;
};

}  // namespace blip3u
