// Visual question answering on the test questions.
#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "blip3u/plugin.h"
#include "blip3u/task.h"
#include "components.h"
#include "data/sound_samples.h"
#include "eval/answers.h"
#include "eval/statistics.h"
#include "samples.h"

namespace blip3u::eval {

namespace {

constexpr const char* protocol = "exact_match@1";

/// Answers without looking: the answer that training questions of the same text most often have.
class BlindMajority {
 public:
  explicit BlindMajority(const TaskData& data) {
    std::map<std::string, AnswerCounts> by_question;
    AnswerCounts all;
    for (const Dataset* dataset : data.datasets) {
      for_each_sound_sample(*dataset, Split::train, [&](const Sample& sample) {
        const auto [question, answer] = asked_in(sample);
        if (answer.empty()) return;
        by_question[question].add(answer);
        all.add(answer);
      });
    }
    for (const auto& [question, counts] : by_question) answers_[question] = counts.most_frequent();
    fallback_ = all.most_frequent();
  }

  const std::string& answer(const std::string& question) const {
    const auto found = answers_.find(question);
    return found == answers_.end() ? fallback_ : found->second;
  }

 private:
  std::map<std::string, std::string> answers_;
  std::string fallback_;
};

class Vqa final : public Task {
 public:
  Vqa(const Parameters& parameters, const BuildContext&)
      : most_questions_(parameters.integer("questions")), longest_(parameters.integer("longest")) {}

  Model::Ability needs() const override { return Model::Ability::answer; }

  std::string missing_for(const TaskData& data) const override {
    bool any = false;
    for_each_test_sample(data, [&](const Sample& sample, const std::string&, const Dataset&) {
      return !(any = !asked_in(sample).answer.empty());
    });
    if (any) return {};
    return "the data set has no test questions; give it some, or take the task out of the recipe";
  }

  std::vector<Item> items(const TaskData& data, std::uint64_t) const override {
    const BlindMajority blind(data);
    std::vector<Item> items;
    for_each_test_sample(data, [&](Sample&& sample, const std::string& prefix, const Dataset&) {
      if (most_questions_ > 0 && std::cmp_greater_equal(items.size(), most_questions_)) return false;
      const auto [question, answer] = asked_in(sample);
      if (answer.empty()) return true;
      sample.messages.pop_back();
      items.push_back(
          {.id = prefix + sample.id,
           .messages = std::move(sample.messages),
           .images = sample.images,
           .text = {.longest = longest_},
           .expected = answer,
           .group = prefix + picture_of(sample),
           .labels = {{"question", question}, {"kind", label_of(sample, "kind")}, {"blind", blind.answer(question)}}});
      return true;
    });
    return items;
  }

  std::vector<ItemRecord> score(const Item& item, std::span<const Output> outputs) const override {
    return answer_records(item, outputs, {{"kind", item.labels.at("kind")}});
  }

  std::vector<Score> summarise(const TaskData&, std::span<const ItemRecord> records, std::uint64_t) const override {
    struct Part {
      std::vector<double> values, blind;
      std::vector<std::int64_t> pictures;
    };
    std::map<std::string, Part> parts;  // "" is all of them
    Clusters clusters;
    for (const ItemRecord& record : records) {
      for (const std::string& name : std::set<std::string>{"", record.labels.at("kind")}) {
        Part& part = parts[name];
        part.values.push_back(record.score);
        part.blind.push_back(record.values.at("blind"));
        part.pictures.push_back(clusters.of(record.group));
      }
    }
    std::vector<Score> scores;
    for (const auto& [name, part] : parts) {
      scores.push_back(
          clustered_share_score(name.empty() ? "vqa" : "vqa/" + name, protocol, part.values, part.pictures));
      if (!name.empty()) continue;
      scores.push_back(as_reference(clustered_share_score("vqa/blind_majority", protocol, part.blind, part.pictures)));
    }
    return scores;
  }

 private:
  std::int64_t most_questions_, longest_;
};

}  // namespace

std::unique_ptr<Component> create_vqa(const Parameters& parameters, const BuildContext& context) {
  return create<Vqa>(parameters, context);
}

}  // namespace blip3u::eval
