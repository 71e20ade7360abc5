#include "scenes/asking.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <numeric>

#include <fmt/format.h>

#include "blip3u/image.h"
#include "eval/statistics.h"

namespace blip3u::scenes {

void for_each_test_sample(const TaskData& data, std::string_view kind,
                          const std::function<bool(Sample&& sample, const std::string& id)>& take) {
  constexpr std::int64_t tried = 8;
  for (std::size_t place = 0; place < data.datasets.size(); ++place) {
    const Dataset& dataset = *data.datasets[place];
    const std::string prefix = data.datasets.size() > 1 ? fmt::format("{}/", place) : "";
    for (std::int64_t chapter = 0; chapter < std::ssize(dataset.chapters(Split::test)); ++chapter) {
      const auto reader = dataset.open(Split::test, chapter);
      std::int64_t others = 0;
      bool any = false;
      for (auto sample = reader->next(); sample && (any || others < tried); sample = reader->next()) {
        if (label_of(*sample, "kind") != kind) {
          ++others;
          continue;
        }
        any = true;
        const std::string id = prefix + sample->id;
        if (!take(std::move(*sample), id)) return;
      }
    }
  }
}

std::string missing_test_samples(const TaskData& data, std::string_view kind) {
  bool any = false;
  for_each_test_sample(data, kind, [&](Sample&&, const std::string&) { return !(any = true); });
  if (any) return {};
  return fmt::format(
      "no test sample is labelled as `kind: {}`, as those of the data set `scenes` are; take the task "
      "out of the recipe",
      kind);
}

std::string part_of(const Sample& sample) {
  const std::string held_out = label_of(sample, "held_out");
  if (!held_out.empty() && held_out != "no") return fmt::format("unseen_{}s", held_out);
  return label_of(sample, "wording") == "held_out" ? "unseen_wordings" : "seen";
}

Item item_before(const Sample& sample, std::size_t message) {
  Item item{.id = sample.id, .messages = {sample.messages.begin(), sample.messages.begin() + std::ptrdiff_t(message)}};
  std::map<std::int64_t, std::int64_t> places;
  for (Message& each : item.messages) {
    for (Part& part : each.content) {
      if (part.type != Part::Type::image) continue;
      const auto [place, fresh] = places.emplace(part.image, std::ssize(places));
      if (fresh) item.images.push_back(sample.images.at(static_cast<std::size_t>(part.image)));
      part.image = place->second;
    }
  }
  return item;
}

std::size_t last_reply(const Sample& sample) {
  std::size_t last = 0;
  for (std::size_t i = 0; i < sample.messages.size(); ++i) {
    if (sample.messages[i].role == Role::assistant) last = i;
  }
  return last;
}

std::vector<Item> allotted(std::vector<Item> items, std::int64_t most, std::int64_t shown) {
  std::map<std::string, std::map<std::string, std::int64_t>> counts;
  for (const Item& item : items) counts[item.labels.at("part")].emplace(item.labels.at("type"), 0);
  std::erase_if(items, [&](Item& item) {
    auto& types = counts.at(item.labels.at("part"));
    const std::int64_t each = item.labels.at("part") == "seen" ? 1 : std::ssize(types);
    const std::int64_t number = types.at(item.labels.at("type"))++;
    item.shown = number < shown;
    return most > 0 && number >= (most + each - 1) / each;
  });
  return items;
}

Description wanted_of(const Item& item) {
  const std::string& wanted = item.labels.at("wanted");
  return wanted.empty() ? Description{} : parse_description(wanted);
}

Tensor readable(const Tensor& picture) {
  const std::int64_t height = picture.size(1), width = picture.size(2);
  if (height == width && height >= 32 && height <= 64) return picture;
  return to_bytes(resize_image(from_bytes(picture), std::clamp<std::int64_t>(std::min(height, width), 32, 64)));
}

Score score_of(const std::string& name, const char* protocol, const Share& share) {
  return eval::share_score(name, protocol, share.right, share.count);
}

Score mean_over_types(const std::string& name, const char* protocol, const std::vector<const Clustered*>& types) {
  double mean = 0, variance = 0;
  std::size_t items = 0, clusters = 0;
  const auto parts = static_cast<double>(types.size());
  for (const Clustered* type : types) {
    const auto n = static_cast<double>(type->values.size());
    const double share = std::accumulate(type->values.begin(), type->values.end(), 0.0) / n;
    std::map<std::int64_t, double> deviations;  // of each cluster's sum
    for (std::size_t i = 0; i < type->values.size(); ++i) deviations[type->clusters[i]] += type->values[i] - share;
    double squares = 0;
    for (const auto& [cluster, deviation] : deviations) squares += deviation * deviation;
    mean += share / parts;
    variance += squares / (n * n) / (parts * parts);
    items += type->values.size();
    clusters += deviations.size();
  }
  const double alike = variance > 0 ? mean * (1 - mean) / variance : static_cast<double>(clusters);
  const eval::Interval interval = eval::exact_interval(mean, alike);
  return {.name = name,
          .protocol = protocol,
          .value = mean,
          .low = interval.low,
          .high = interval.high,
          .interval = "clopper-pearson over types and prompts",
          .count = static_cast<std::int64_t>(items)};
}

}  // namespace blip3u::scenes
