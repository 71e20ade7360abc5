// Edited scenes: the named change, and all else.
#include <fmt/format.h>

#include "scenes/asking.h"
#include "scenes/rules.h"
#include "scenes/tasks.h"

namespace blip3u::scenes {

namespace {

class Editing final : public Task {
 public:
  Editing(const Parameters& parameters, const BuildContext&)
      : most_images_(parameters.integer("images")), shown_(parameters.integer("shown")) {}

  Model::Ability needs() const override { return Model::Ability::generate; }

  std::string missing_for(const TaskData& data) const override { return missing_test_samples(data, "edit"); }

  std::vector<Item> items(const TaskData& data, std::uint64_t) const override {
    std::vector<Item> items;
    for_each_test_sample(data, "edit", [&](Sample&& sample, const std::string& id) {
      Item item = item_before(sample, last_reply(sample));
      item.id = id;
      item.expected = label_of(sample, "target");
      item.group = id;
      item.labels = {{"type", label_of(sample, "type")},
                     {"part", part_of(sample)},
                     {"source", label_of(sample, "source")},
                     {"wanted", label_of(sample, "wanted")}};
      items.push_back(std::move(item));
      return true;
    });
    return allotted(std::move(items), most_images_, shown_);
  }

  std::vector<ItemRecord> score(const Item& item, std::span<const Output> outputs) const override {
    const std::string request = text_of(item.messages.back());
    std::vector<ItemRecord> records;
    for (const Output& output : outputs) {
      ItemRecord record{.id = item.id,
                        .input = fmt::format("{} ({})", request, item.labels.at("source")),
                        .output = "no picture",
                        .expected = item.expected,
                        .group = item.group,
                        .labels = item.labels};
      EditVerdict verdict;
      if (!output.images.empty()) {
        const Tensor picture = readable(output.images.front());
        const Reading reading = read_scene(picture);
        record.output = reading.text();
        verdict = judge_edit(parse_scene(item.labels.at("source")), parse_scene(item.expected), wanted_of(item),
                             reading, picture.size(1));
      }
      record.score = verdict.changed && verdict.kept ? 1.0 : 0.0;
      record.values = {{"changed", verdict.changed ? 1.0 : 0.0}, {"kept", verdict.kept ? 1.0 : 0.0}};
      if (item.shown && !output.images.empty()) {
        record.images = {{item.images.back(), "before: " + request, true},
                         {output.images.front(), "after: " + request, record.score == 1}};
      }
      records.push_back(std::move(record));
    }
    return records;
  }

  std::vector<Score> summarise(const TaskData&, std::span<const ItemRecord> records, std::uint64_t) const override {
    std::map<std::string, std::vector<const ItemRecord*>> groups;
    for (const ItemRecord& record : records) {
      const std::string& part = record.labels.at("part");
      groups[part == "seen" ? "editing" : "editing/" + part].push_back(&record);
      if (part == "seen") groups["editing/" + record.labels.at("type")].push_back(&record);
    }
    std::vector<Score> scores;
    for (const auto& [name, members] : groups) {
      Share changed, kept, both;
      for (const ItemRecord* record : members) {
        changed.add(record->values.at("changed") == 1);
        kept.add(record->values.at("kept") == 1);
        both.add(record->score == 1);
      }
      scores.push_back(score_of(name + "/changed", edit_protocol, changed));
      scores.push_back(score_of(name + "/all_else_kept", edit_protocol, kept));
      scores.push_back(score_of(name + "/both", edit_protocol, both));
    }
    return scores;
  }

 private:
  std::int64_t most_images_, shown_;
};

}  // namespace

std::unique_ptr<Component> create_editing(const Parameters& parameters, const BuildContext& context) {
  return create<Editing>(parameters, context);
}

}  // namespace blip3u::scenes
