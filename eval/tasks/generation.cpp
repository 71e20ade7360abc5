// Pictures of the captions of test pictures, for people to look at, and how different those of one caption are.
#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "blip3u/plugin.h"
#include "blip3u/task.h"
#include "components.h"
#include "eval/pixels.h"
#include "samples.h"

namespace blip3u::eval {

namespace {

class Generation final : public Task {
 public:
  Generation(const Parameters& parameters, const BuildContext&)
      : most_prompts_(parameters.integer("prompts")), images_(parameters.integer("images")) {}

  Model::Ability needs() const override { return Model::Ability::generate; }

  std::string missing_for(const TaskData& data) const override {
    if (!items(data, 0).empty()) return {};
    return "no test image has a caption to generate from; give them captions, or take the task out of the recipe";
  }

  std::vector<Item> items(const TaskData& data, std::uint64_t) const override {
    std::vector<Item> items;
    std::set<std::string> known;
    for_each_test_picture(data, [&](Sample&& sample, const std::string&, const Dataset&) {
      if (std::cmp_greater_equal(items.size(), most_prompts_)) return false;
      if (sample.captions.empty() || !known.insert(sample.captions.front()).second) return true;
      const std::string& caption = sample.captions.front();
      items.push_back({.id = caption,
                       .messages = {{Role::user, {text_part(caption)}}},
                       .replies = images_,
                       .expected = {},  // there is nothing to compare with
                       .group = caption,
                       .shown = true});
      return true;
    });
    return items;
  }

  std::vector<ItemRecord> score(const Item& item, std::span<const Output> outputs) const override {
    const std::vector<double> apart = distances(outputs);
    std::vector<ItemRecord> records;
    for (const Output& output : outputs) {
      ItemRecord record{.id = fmt::format("{} #{}", item.id, records.size()),
                        .input = item.id,
                        .output = output.images.empty() ? "no picture" : "a picture",
                        .expected = {},
                        .group = item.group};
      if (!output.images.empty()) record.images = {{output.images.front(), item.id, true}};
      if (records.size() < apart.size()) record.values["distance"] = record.score = apart[records.size()];
      records.push_back(std::move(record));
    }
    return records;
  }

  std::vector<Score> summarise(const TaskData&, std::span<const ItemRecord> records, std::uint64_t) const override {
    return diversity_score("generation", records);
  }

 private:
  std::int64_t most_prompts_, images_;
};

}  // namespace

std::unique_ptr<Component> create_generation(const Parameters& parameters, const BuildContext& context) {
  return create<Generation>(parameters, context);
}

}  // namespace blip3u::eval
