// Pictures that must be reasoned out: at once, or after the model's own reasoning in words, as the system asks.
#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "eval/answers.h"
#include "scenes/asking.h"
#include "scenes/rules.h"
#include "scenes/tasks.h"

namespace blip3u::scenes {

namespace {

constexpr const char* asks_for_text = "think";  // of the system

/// NAME of all that training saw, NAME/TYPE of each type of that, and NAME/PART of the rest.
std::vector<Score> scores_by_part(const std::string& name, const std::vector<const ItemRecord*>& records) {
  Shares shares;
  for (const ItemRecord* record : records) {
    const std::string& part = record->labels.at("part");
    const bool seen = part == "seen";
    shares[seen ? name : fmt::format("{}/{}", name, part)].add(record->score == 1);
    if (seen) shares[fmt::format("{}/{}", name, record->labels.at("type"))].add(record->score == 1);
  }
  std::vector<Score> scores;
  for (const auto& [each, share] : shares) scores.push_back(score_of(each, strict_protocol, share));
  return scores;
}

class Reasoning final : public Task {
 public:
  Reasoning(const Parameters& parameters, const BuildContext&)
      : most_images_(parameters.integer("images")), shown_(parameters.integer("shown")) {}

  Model::Ability needs() const override { return Model::Ability::converse; }

  std::string missing_for(const TaskData& data) const override { return missing_test_samples(data, "reasoning"); }

  std::vector<Item> items(const TaskData& data, std::uint64_t) const override {
    std::vector<Item> at_once, after_text;
    for_each_test_sample(data, "reasoning", [&](Sample&& sample, const std::string& id) {
      const std::size_t reply = last_reply(sample);
      const auto add = [&](std::vector<Item>& items, Item item, const char* way) {
        item.id = fmt::format("{} {}", id, way);
        item.expected = label_of(sample, "wanted");
        item.group = id;
        item.labels = {{"type", label_of(sample, "type")},
                       {"part", part_of(sample)},
                       {"way", way},
                       {"request", text_of(sample.messages[reply - 1])}};
        items.push_back(std::move(item));
      };
      Item plain = item_before(sample, reply);
      std::erase_if(plain.messages, [](const Message& message) {
        return message.role == Role::system && text_of(message) == asks_for_text;
      });
      add(at_once, std::move(plain), "without_text");
      if (!text_of(sample.messages[reply]).empty()) {
        add(after_text, item_before(sample, reply), "with_text");
        after_text.back().labels["text"] = text_of(sample.messages[reply]);
      }
      return true;
    });
    std::vector<Item> items = allotted(std::move(at_once), most_images_, shown_);
    std::ranges::move(allotted(std::move(after_text), most_images_, shown_), std::back_inserter(items));
    return items;
  }

  std::vector<ItemRecord> score(const Item& item, std::span<const Output> outputs) const override {
    const Description wanted = parse_description(item.expected);
    std::vector<ItemRecord> records;
    for (const Output& output : outputs) {
      ItemRecord record{.id = item.id,
                        .input = item.labels.at("request"),
                        .output = "no picture",
                        .expected = item.expected,
                        .group = item.group,
                        .labels = item.labels};
      if (!output.images.empty()) {
        const Reading reading = read_scene(readable(output.images.front()));
        record.output = reading.text();
        record.score = judge(reading, wanted).strict ? 1.0 : 0.0;
        if (item.shown) record.images = {{output.images.front(), record.input, record.score == 1}};
      }
      if (const auto text = item.labels.find("text"); text != item.labels.end()) {
        record.values["text"] = eval::plain_answer(output.text) == eval::plain_answer(text->second) ? 1 : 0;
        record.output = fmt::format("{} / {}", output.text, record.output);
      }
      records.push_back(std::move(record));
    }
    return records;
  }

  std::vector<Score> summarise(const TaskData&, std::span<const ItemRecord> records, std::uint64_t) const override {
    std::map<std::string, std::vector<const ItemRecord*>> ways;
    for (const ItemRecord& record : records) ways["reasoning/" + record.labels.at("way")].push_back(&record);
    std::vector<Score> scores;
    for (const auto& [name, members] : ways) {
      std::ranges::move(scores_by_part(name, members), std::back_inserter(scores));
    }
    Share text;
    for (const ItemRecord& record : records) {
      if (const auto right = record.values.find("text"); right != record.values.end()) text.add(right->second == 1);
    }
    if (text.count > 0) scores.push_back(score_of("reasoning/text", words_protocol, text));
    return scores;
  }

 private:
  std::int64_t most_images_, shown_;
};

}  // namespace

std::unique_ptr<Component> create_reasoning(const Parameters& parameters, const BuildContext& context) {
  return create<Reasoning>(parameters, context);
}

}  // namespace blip3u::scenes
