// Dialogues of several turns in which the model hears its own earlier replies: its pictures and words are judged by
// what it drew itself before, as the exact scorer reads it.
#include <algorithm>

#include <fmt/format.h>

#include "eval/answers.h"
#include "eval/statistics.h"
#include "scenes/asking.h"
#include "scenes/conversations.h"
#include "scenes/rules.h"
#include "scenes/tasks.h"

namespace blip3u::scenes {

namespace {

class Dialogue final : public Task {
 public:
  Dialogue(const Parameters& parameters, const BuildContext&)
      : most_(parameters.integer("dialogues")), shown_(parameters.integer("shown")) {}

  Model::Ability needs() const override { return Model::Ability::converse; }

  std::string missing_for(const TaskData& data) const override { return missing_test_samples(data, "dialogue"); }

  std::vector<Item> items(const TaskData& data, std::uint64_t) const override {
    std::vector<Item> items;
    for_each_test_sample(data, "dialogue", [&](Sample&& sample, const std::string& id) {
      Item item{.id = id};
      for (const Message& message : sample.messages) {
        if (message.role != Role::user) continue;
        (item.messages.empty() ? item.messages : item.follow_ups).push_back(message);
      }
      for (const auto& [name, value] : sample.labels) {
        if (name.starts_with("turn")) item.labels[name] = value;
      }
      item.shown = std::cmp_less(items.size(), shown_);
      items.push_back(std::move(item));
      return most_ == 0 || std::cmp_less(items.size(), most_);
    });
    return items;
  }

  std::vector<ItemRecord> score(const Item& item, std::span<const Output> outputs) const override {
    std::vector<ItemRecord> records;
    for (const Output& output : outputs) {
      ItemRecord record{.id = item.id, .score = 1, .group = item.id, .labels = item.labels};
      std::optional<Scene> own;  // what the model drew last, as far as it can be read
      for (std::size_t turn = 0; turn <= item.follow_ups.size(); ++turn) {
        const Output& reply = turn == 0 ? output : output.follow_ups.at(turn - 1);
        const bool right = judge_turn(item, turn, reply, own, record);
        record.values[fmt::format("turn{}", turn)] = right ? 1 : 0;
        if (!right) record.score = 0;
      }
      records.push_back(std::move(record));
    }
    return records;
  }

  std::vector<Score> summarise(const TaskData&, std::span<const ItemRecord> records, std::uint64_t) const override {
    Share whole;
    Shares parts;
    for (const ItemRecord& record : records) {
      whole.add(record.score == 1);
      for (const auto& [turn, right] : record.values) {
        parts[fmt::format("dialogue/turn_{}", std::stoll(turn.substr(4)) + 1)].add(right == 1);
        parts["dialogue/any_turn_" + record.labels.at(turn + ".kind")].add(right == 1);
      }
    }
    std::vector<Score> scores = {score_of("dialogue", protocol, whole)};
    for (const auto& [name, share] : parts) scores.push_back(score_of(name, protocol, share));
    return scores;
  }

 private:
  static constexpr const char* protocol = "scenes_dialogue@1";

  /// Whether the reply to a turn is right, given the picture before it; `own` becomes that of the reply.
  static bool judge_turn(const Item& item, std::size_t turn, const Output& reply, std::optional<Scene>& own,
                         ItemRecord& record) {
    const auto label = [&](const char* name) {
      const auto found = item.labels.find(fmt::format("turn{}.{}", turn, name));
      return found == item.labels.end() ? std::string() : found->second;
    };
    const std::string request = text_of(turn == 0 ? item.messages.back() : item.follow_ups[turn - 1]);
    const std::string kind = label("kind");
    std::string answer = reply.text;
    bool right = false;
    if (kind == "draw" || kind == "edit") {
      answer = "no picture";
      if (!reply.images.empty()) {
        const Tensor picture = readable(reply.images.front());
        const Reading reading = read_scene(picture);
        answer = reading.text();
        const Description wanted = parse_description(label("wanted"));
        right =
            kind == "draw" ? judge(reading, wanted).strict : is_edited(label, own, wanted, reading, picture.size(1));
        own = reading.scene();
        if (item.shown) record.images.push_back({reply.images.front(), request, right});
      }
    } else {
      const std::string expected = !own                ? label("answer")
                                   : kind == "caption" ? say(describe(*own), nullptr)
                                                       : answer_to(label("type"), asked_in(label("asked")), *own);
      right = reply.images.empty() && eval::plain_answer(reply.text) == eval::plain_answer(expected);
      if (item.shown && !record.images.empty()) record.images.back().label += fmt::format(" / {}? {}", request, answer);
    }
    record.input += fmt::format("{}{}", turn == 0 ? "" : " / ", request);
    record.output += fmt::format("{}{}{}", turn == 0 ? "" : " / ", right ? "" : "WRONG: ", answer);
    return right;
  }

  static Phrase asked_in(const std::string& label) { return parse_description(label).phrases.at(0); }

  template <class Label>
  static bool is_edited(const Label& label, const std::optional<Scene>& own, const Description& wanted,
                        const Reading& reading, std::int64_t side) {
    if (!own) return false;
    const auto target = carried_over(parse_scene(label("source")), parse_scene(label("target")), *own);
    if (!target) return false;
    const EditVerdict verdict = judge_edit(*own, *target, wanted, reading, side);
    return verdict.changed && verdict.kept;
  }

  std::int64_t most_, shown_;
};

}  // namespace

std::unique_ptr<Component> create_dialogue(const Parameters& parameters, const BuildContext& context) {
  return create<Dialogue>(parameters, context);
}

}  // namespace blip3u::scenes
