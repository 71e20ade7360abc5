// Zero-shot classification: which class caption is most like the image?
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "blip3u/plugin.h"
#include "blip3u/task.h"
#include "components.h"
#include "eval/statistics.h"
#include "samples.h"

namespace blip3u::eval {

namespace {

constexpr const char* protocol = "top1@1";

class Classification final : public Task {
 public:
  Classification(const Parameters& parameters, const BuildContext&) : shown_(parameters.integer("shown")) {}

  Model::Ability needs() const override { return Model::Ability::classify; }

  std::string missing_for(const TaskData& data) const override {
    const bool any = std::ranges::any_of(
        data.datasets, [](const Dataset* dataset) { return dynamic_cast<const Classes*>(dataset) != nullptr; });
    if (!any) return "the data set has no classes; take the task out of the recipe";
    if (!items(data, 0).empty()) return {};
    return "no test image is labelled with one of the data set's classes; label some so, or take the task out of the "
           "recipe";
  }

  std::vector<Item> items(const TaskData& data, std::uint64_t) const override {
    std::map<const Dataset*, std::vector<std::string>> classes;
    for (const Dataset* dataset : data.datasets) {
      const auto* const known = dynamic_cast<const Classes*>(dataset);
      if (known != nullptr) classes[dataset] = known->classes();
    }
    std::vector<Item> items;
    for_each_test_picture(data, [&](Sample&& sample, const std::string& name, const Dataset& dataset) {
      const std::string truth = label_of(sample, "class");
      const auto& choices = classes[&dataset];
      if (std::ranges::find(choices, truth) == choices.end()) return true;  // unknown
      items.push_back(
          {.id = name, .images = {sample.images.front()}, .choices = choices, .expected = truth, .group = name});
      return true;
    });
    const auto count = std::ssize(items), shown = std::min(shown_, static_cast<std::int64_t>(count));
    for (std::int64_t i = 0; i < shown; ++i) items[static_cast<std::size_t>(i * count / shown)].shown = true;
    return items;
  }

  std::vector<ItemRecord> score(const Item& item, std::span<const Output> outputs) const override {
    std::vector<ItemRecord> records;
    for (const Output& output : outputs) {
      const auto best = std::ranges::max_element(output.choices) - output.choices.begin();
      const std::string& guess = item.choices.at(static_cast<std::size_t>(best));
      records.push_back({.id = item.id,
                         .input = "one of the class captions",
                         .output = guess,
                         .expected = item.expected,
                         .score = guess == item.expected ? 1.0 : 0.0,
                         .group = item.group});
      if (item.shown && guess != item.expected) {
        records.back().images = {{item.images.front(), guess + ", not " + item.expected, false}};
      }
    }
    return records;
  }

  std::vector<Score> summarise(const TaskData&, std::span<const ItemRecord> records, std::uint64_t) const override {
    std::map<std::string, std::int64_t> frequency;
    std::int64_t right = 0, most = 0;
    for (const ItemRecord& record : records) {
      right += record.score == 1 ? 1 : 0;
      most = std::max(most, ++frequency[record.expected]);
    }
    const auto count = static_cast<std::int64_t>(records.size());
    return {share_score("classification", protocol, right, count),
            as_reference(share_score("classification/most_frequent_class", protocol, most, count))};
  }

 private:
  std::int64_t shown_;
};

}  // namespace

std::unique_ptr<Component> create_classification(const Parameters& parameters, const BuildContext& context) {
  return create<Classification>(parameters, context);
}

}  // namespace blip3u::eval
