// Captions of test pictures, compared with those that people gave.
#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <sstream>
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

constexpr const char* protocol = "word_f1@1";
constexpr char between = '\n';  // captions in a label

std::multiset<std::string> words_of(const std::string& text) {
  std::istringstream stream(plain_answer(text));
  return {std::istream_iterator<std::string>(stream), {}};
}

/// Of the words of both, the harmonic mean of what is right of the one and what is found of the other.
double word_f1(const std::string& made, const std::string& reference) {
  const auto ours = words_of(made), theirs = words_of(reference);
  std::vector<std::string> shared;
  std::ranges::set_intersection(ours, theirs, std::back_inserter(shared));
  const std::size_t all = ours.size() + theirs.size();
  return all == 0 ? 1 : 2.0 * static_cast<double>(shared.size()) / static_cast<double>(all);
}

/// With the caption that fits best.
double best_f1(const std::string& made, const std::string& references) {
  std::istringstream stream(references);
  double best = 0;
  for (std::string reference; std::getline(stream, reference, between);) {
    best = std::max(best, word_f1(made, reference));
  }
  return best;
}

std::string one_line(std::string text) {
  std::ranges::replace(text, between, ' ');
  return text;
}

/// What says the same of every picture: the caption that training most often has.
std::string usual_caption(const TaskData& data) {
  AnswerCounts counts;
  for (const Dataset* dataset : data.datasets) {
    for_each_sound_sample(*dataset, Split::train, [&](const Sample& sample) {
      if (!sample.captions.empty()) counts.add(sample.captions.front());
    });
  }
  return counts.most_frequent();
}

class Captioning final : public Task {
 public:
  Captioning(const Parameters& parameters, const BuildContext&)
      : question_(parameters.text("question")),
        most_images_(parameters.integer("images")),
        longest_(parameters.integer("longest")) {}

  Model::Ability needs() const override { return Model::Ability::answer; }

  std::string missing_for(const TaskData& data) const override {
    bool any = false;
    for_each_test_sample(data, [&](const Sample& sample, const std::string&, const Dataset&) {
      return !(any = !sample.images.empty() && !sample.captions.empty());
    });
    if (any) return {};
    return "no test image has a caption; give them captions, or take the task out of the recipe";
  }

  std::vector<Item> items(const TaskData& data, std::uint64_t) const override {
    const std::string usual = usual_caption(data);
    std::vector<Item> items;
    std::map<std::string, std::size_t> known;
    for_each_test_sample(data, [&](Sample&& sample, const std::string& prefix, const Dataset&) {
      if (sample.captions.empty() || sample.images.empty()) return true;
      const std::string name = prefix + picture_of(sample), caption = one_line(sample.captions.front());
      const auto [at, fresh] = known.emplace(name, items.size());
      if (!fresh) {
        items[at->second].labels["references"] += between + caption;
        return true;
      }
      if (most_images_ > 0 && std::ssize(items) == most_images_) return false;
      items.push_back({.id = name,
                       .messages = {{Role::user, {image_part(0), text_part(question_)}}},
                       .images = {sample.images.front()},
                       .text = {.longest = longest_},
                       .expected = caption,
                       .group = name,
                       .labels = {{"references", caption}, {"usual", usual}}});
      return true;
    });
    return items;
  }

  std::vector<ItemRecord> score(const Item& item, std::span<const Output> outputs) const override {
    const std::string& references = item.labels.at("references");
    std::vector<ItemRecord> records;
    for (const Output& output : outputs) {
      records.push_back({.id = item.id,
                         .input = question_,
                         .output = output.text,
                         .expected = item.expected,
                         .score = best_f1(output.text, references),
                         .group = item.group,
                         .values = {{"usual", best_f1(item.labels.at("usual"), references)}}});
    }
    return records;
  }

  std::vector<Score> summarise(const TaskData&, std::span<const ItemRecord> records, std::uint64_t) const override {
    std::vector<double> values, usual;
    std::vector<std::int64_t> pictures;
    Clusters clusters;
    for (const ItemRecord& record : records) {
      values.push_back(record.score);
      usual.push_back(record.values.at("usual"));
      pictures.push_back(clusters.of(record.group));
    }
    return {mean_score("captioning", protocol, values, pictures),
            as_reference(mean_score("captioning/usual_caption", protocol, usual, pictures))};
  }

 private:
  std::string question_;
  std::int64_t most_images_, longest_;
};

}  // namespace

std::unique_ptr<Component> create_captioning(const Parameters& parameters, const BuildContext& context) {
  return create<Captioning>(parameters, context);
}

}  // namespace blip3u::eval
