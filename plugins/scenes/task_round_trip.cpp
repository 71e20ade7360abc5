// The model draws, and answers questions about its own picture: whether its answers are what the exact scorer sees.
#include <fmt/format.h>

#include "blip3u/random.h"
#include "eval/answers.h"
#include "eval/statistics.h"
#include "scenes/asking.h"
#include "scenes/conversations.h"
#include "scenes/rules.h"
#include "scenes/tasks.h"

namespace blip3u::scenes {

namespace {

/// Pictures are asked in turn how many there are of something, and whether there is any.
const char* type_of(std::size_t question) { return question % 2 == 0 ? "count" : "exist"; }

class RoundTrip final : public Task {
 public:
  RoundTrip(const Parameters& parameters, const BuildContext&) : most_(parameters.integer("images")) {}

  Model::Ability needs() const override { return Model::Ability::converse; }

  std::string missing_for(const TaskData& data) const override { return missing_test_samples(data, "draw"); }

  std::vector<Item> items(const TaskData& data, std::uint64_t seed) const override {
    std::vector<Item> items;
    for_each_test_sample(data, "draw", [&](Sample&& sample, const std::string& id) {
      if (part_of(sample) != "seen") return true;
      Item item = item_before(sample, last_reply(sample));
      item.id = id;
      item.group = id;
      item.labels = {{"type", label_of(sample, "type")}, {"part", "seen"}};
      Engine engine(derive_seed(derive_seed(seed, "round trip"), id));
      const Description wanted = parse_description(label_of(sample, "wanted"));
      for (std::size_t k = 0; k < questions; ++k) {
        // Half of the questions are about what was asked for, the others about any shape.
        Phrase asked{.shape = pick(engine, shapes.size())};
        if (k < questions / 2 && !wanted.phrases.empty()) {
          asked = {1, {}, wanted.phrases[0].colour, wanted.phrases[0].shape};
        }
        const bool counts = type_of(k) == std::string_view("count");
        item.follow_ups.push_back(
            {Role::user,
             {text_part(counts ? request("question.count", {{"t", say_things(asked, &engine)}}, engine, false)
                               : request("question.exist", {{"d", say(asked, &engine)}}, engine, false))}});
        item.labels[fmt::format("asked{}", k)] = to_text(Description{.phrases = {asked}});
      }
      items.push_back(std::move(item));
      return true;
    });
    return allotted(std::move(items), most_, 0);
  }

  /// The score is the share of answers that agree; what cannot be read counts for nothing.
  std::vector<ItemRecord> score(const Item& item, std::span<const Output> outputs) const override {
    std::vector<ItemRecord> records;
    for (const Output& output : outputs) {
      ItemRecord record{.id = item.id,
                        .input = item.messages.back().content.back().text,
                        .output = "no picture",
                        .group = item.group};
      const auto reading = output.images.empty() ? std::nullopt : std::optional(read_scene(readable(output.images[0])));
      if (reading) record.output = reading->text();
      const auto scene = reading ? reading->scene() : std::nullopt;
      record.values["read"] = scene ? 1 : 0;
      for (std::size_t k = 0; k < questions && scene; ++k) {
        const Phrase asked = parse_description(item.labels.at(fmt::format("asked{}", k))).phrases.at(0);
        const std::string expected = answer_to(type_of(k), asked, *scene);
        const bool agrees = eval::plain_answer(output.follow_ups.at(k).text) == expected;
        record.values[fmt::format("agrees{}", k)] = agrees ? 1 : 0;
        record.labels[fmt::format("question {}", k)] = expected;
        record.score += agrees ? 1.0 / questions : 0;
        record.output += fmt::format(" / {} {}", item.follow_ups[k].content[0].text, output.follow_ups[k].text);
      }
      records.push_back(std::move(record));
    }
    return records;
  }

  std::vector<Score> summarise(const TaskData&, std::span<const ItemRecord> records, std::uint64_t) const override {
    std::vector<double> agrees;
    std::vector<std::int64_t> pictures;
    eval::Clusters clusters;
    Share read, blind;
    std::map<std::string, std::map<std::string, std::int64_t>> answers;  // how often, by question
    for (const ItemRecord& record : records) {
      read.add(record.values.at("read") == 1);
      const std::int64_t picture = clusters.of(record.group);
      for (const auto& [name, value] : record.values) {
        if (!name.starts_with("agrees")) continue;
        agrees.push_back(value);
        pictures.push_back(picture);
      }
      for (const auto& [question, answer] : record.labels) ++answers[question][answer];
    }
    for (const auto& [question, counts] : answers) {
      const auto best = std::ranges::max_element(counts, {}, [](const auto& entry) { return entry.second; });
      blind.right += best->second;
      for (const auto& [answer, count] : counts) blind.count += count;
    }
    std::vector<Score> scores;
    if (!agrees.empty()) scores.push_back(eval::clustered_share_score("round_trip", words_protocol, agrees, pictures));
    if (blind.count > 0) {
      scores.push_back(eval::as_reference(score_of("round_trip/most_frequent_answers", words_protocol, blind)));
    }
    scores.push_back(eval::as_reference(score_of("round_trip/readable", strict_protocol, read)));
    return scores;
  }

 private:
  static constexpr std::size_t questions = 4;
  std::int64_t most_;
};

}  // namespace

std::unique_ptr<Component> create_round_trip(const Parameters& parameters, const BuildContext& context) {
  return create<RoundTrip>(parameters, context);
}

}  // namespace blip3u::scenes
