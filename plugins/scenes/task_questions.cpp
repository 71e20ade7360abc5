// Questions about scenes by their kinds, and captions.
#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "eval/answers.h"
#include "eval/statistics.h"
#include "scenes/asking.h"
#include "scenes/tasks.h"

namespace blip3u::scenes {

namespace {

/// The text that a reply answers to, and the reply.
struct Asked {
  std::string question, answer;
};

Asked asked_in(const Sample& sample) {
  const std::size_t reply = last_reply(sample);
  if (reply == 0) return {};
  return {text_of(sample.messages[reply - 1]), text_of(sample.messages[reply])};
}

/// Answers without looking: what training most often answers to a question of that text, or else of that type. It reads
/// the fronts of all chapters, `most_read` samples in all.
class BlindGuesser {
 public:
  explicit BlindGuesser(const TaskData& data) {
    constexpr std::int64_t most_read = 20'000;
    for (const Dataset* dataset : data.datasets) {
      const auto chapters = std::ssize(dataset->chapters(Split::train));
      const std::int64_t sets = std::ssize(data.datasets);
      for (std::int64_t chapter = 0; chapter < chapters; ++chapter) {
        const auto reader = dataset->open(Split::train, chapter);
        std::int64_t left = std::max<std::int64_t>(1, most_read / (chapters * sets));
        for (auto sample = reader->next(); sample && left > 0; --left, sample = reader->next()) learn(*sample);
      }
    }
  }

  std::string answer(const std::string& question, const std::string& type) const {
    const auto known = by_question_.find(question);
    if (known != by_question_.end()) return known->second.most_frequent();
    const auto alike = by_type_.find(type);
    return alike == by_type_.end() ? std::string() : alike->second.most_frequent();
  }

 private:
  void learn(const Sample& sample) {
    if (label_of(sample, "kind") != "question") return;
    const Asked asked = asked_in(sample);
    by_question_[asked.question].add(asked.answer);
    by_type_[label_of(sample, "type")].add(asked.answer);
  }

  std::map<std::string, eval::AnswerCounts> by_question_, by_type_;
};

class Questions final : public Task {
 public:
  Questions(const Parameters& parameters, const BuildContext&) : most_(parameters.integer("images")) {}

  Model::Ability needs() const override { return Model::Ability::answer; }

  std::string missing_for(const TaskData& data) const override { return missing_test_samples(data, "question"); }

  std::vector<Item> items(const TaskData& data, std::uint64_t) const override {
    const BlindGuesser blind(data);
    std::vector<Item> all;
    for (const std::string kind : {"question", "caption"}) {
      std::vector<Item> items;
      for_each_test_sample(data, kind, [&](Sample&& sample, const std::string& id) {
        const Asked asked = asked_in(sample);
        const std::string type = kind == "caption" ? kind : label_of(sample, "type");
        const std::string scene = label_of(sample, "scene");
        Item item = item_before(sample, last_reply(sample));
        item.id = id;
        item.expected = asked.answer;
        item.group = scene.empty() ? id : scene;
        item.labels = {{"kind", kind},
                       {"type", type},
                       {"part", part_of(sample)},
                       {"question", asked.question},
                       {"blind", kind == "caption" ? std::string() : blind.answer(asked.question, type)}};
        items.push_back(std::move(item));
        return true;
      });
      std::ranges::move(allotted(std::move(items), most_, 0), std::back_inserter(all));
    }
    return all;
  }

  std::vector<ItemRecord> score(const Item& item, std::span<const Output> outputs) const override {
    return eval::answer_records(item, outputs, item.labels);
  }

  std::vector<Score> summarise(const TaskData&, std::span<const ItemRecord> records, std::uint64_t) const override {
    std::map<std::string, std::vector<const ItemRecord*>> groups;
    for (const ItemRecord& record : records) {
      const bool question = record.labels.at("kind") == "question", seen = record.labels.at("part") == "seen";
      const std::string name = question ? "questions" : "captions";
      groups[seen ? name : fmt::format("{}/{}", name, record.labels.at("part"))].push_back(&record);
      if (question && seen) groups[fmt::format("questions/{}", record.labels.at("type"))].push_back(&record);
    }
    eval::Clusters scenes;
    std::vector<Score> scores;
    for (const auto& [name, members] : groups) {
      std::vector<double> right, blind;
      std::vector<std::int64_t> clusters;  // questions about one scene stand and fall together
      for (const ItemRecord* record : members) {
        right.push_back(record->score);
        blind.push_back(record->values.at("blind"));
        clusters.push_back(scenes.of(record->group));
      }
      scores.push_back(eval::clustered_share_score(name, words_protocol, right, clusters));
      if (name.starts_with("captions")) continue;
      scores.push_back(
          eval::as_reference(eval::clustered_share_score(name + "/blind_guesser", words_protocol, blind, clusters)));
    }
    return scores;
  }

 private:
  std::int64_t most_;
};

}  // namespace

std::unique_ptr<Component> create_questions(const Parameters& parameters, const BuildContext& context) {
  return create<Questions>(parameters, context);
}

}  // namespace blip3u::scenes
