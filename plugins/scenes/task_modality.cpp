// Whether the model, told nothing, answers with a picture where one is asked for, and with text where that is.
#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "scenes/asking.h"
#include "scenes/tasks.h"

namespace blip3u::scenes {

namespace {

class Modality final : public Task {
 public:
  Modality(const Parameters& parameters, const BuildContext&) : most_(parameters.integer("images")) {}

  Model::Ability needs() const override { return Model::Ability::converse; }

  std::string missing_for(const TaskData& data) const override { return missing_test_samples(data, "draw"); }

  std::vector<Item> items(const TaskData& data, std::uint64_t) const override {
    std::vector<Item> all;
    for (const char* kind : {"draw", "edit", "question", "caption"}) {
      std::vector<Item> items;
      for_each_test_sample(data, kind, [&](Sample&& sample, const std::string& id) {
        if (part_of(sample) != "seen") return true;
        Item item = item_before(sample, last_reply(sample));
        item.id = id;
        item.group = id;
        const bool picture = sample.messages[last_reply(sample)].content.front().type == Part::Type::image;
        item.expected = picture ? "picture" : "text";
        item.labels = {
            {"type", label_of(sample, "type")}, {"part", "seen"}, {"request", text_of(item.messages.back())}};
        items.push_back(std::move(item));
        return true;
      });
      std::ranges::move(allotted(std::move(items), most_, 0), std::back_inserter(all));
    }
    return all;
  }

  std::vector<ItemRecord> score(const Item& item, std::span<const Output> outputs) const override {
    std::vector<ItemRecord> records;
    for (const Output& output : outputs) {
      const std::string given = output.images.empty() ? "text" : output.text.empty() ? "picture" : "both";
      records.push_back({.id = item.id,
                         .input = item.labels.at("request"),
                         .output = given,
                         .expected = item.expected,
                         .score = given == item.expected ? 1.0 : 0.0,
                         .group = item.group});
    }
    return records;
  }

  std::vector<Score> summarise(const TaskData&, std::span<const ItemRecord> records, std::uint64_t) const override {
    constexpr const char* protocol = "modality@1";
    Share all;
    Shares parts;
    for (const ItemRecord& record : records) {
      all.add(record.score == 1);
      parts["modality/" + record.expected].add(record.score == 1);
    }
    std::vector<Score> scores = {score_of("modality", protocol, all)};
    for (const auto& [name, share] : parts) scores.push_back(score_of(name, protocol, share));
    return scores;
  }

 private:
  std::int64_t most_;
};

}  // namespace

std::unique_ptr<Component> create_modality(const Parameters& parameters, const BuildContext& context) {
  return create<Modality>(parameters, context);
}

}  // namespace blip3u::scenes
