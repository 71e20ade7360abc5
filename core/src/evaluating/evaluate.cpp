#include "evaluating/evaluate.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "blip3u/utf8.h"
#include "evaluating/ask.h"
#include "evaluating/predictions.h"
#include "io/interrupt.h"
#include "model/pictures.h"
#include "plugin_call.h"

namespace blip3u {

namespace {

using Ability = Model::Ability;

/// What is wrong with an item for a task that needs that ability; "" if nothing is.
std::string problem_of(const Item& item, Ability ability) {
  const bool pictures = ability == Ability::classify || ability == Ability::reconstruct;
  const bool choices = ability == Ability::classify || ability == Ability::choose;
  if (first_not_utf8(item.id) != std::string::npos) return "its id is not UTF-8";
  if (item.replies < 1) return "it asks for no reply";
  if (choices && item.choices.empty()) return "it has no choices";
  if (choices && item.replies > 1) return "it asks for several replies where each would be the same";
  if (!item.follow_ups.empty() && (pictures || choices)) return "it has follow-ups, but its task asks for no replies";
  if (!pictures) {
    Sample asked{.id = item.id, .messages = item.messages, .images = item.images};
    for (const Message& message : item.follow_ups) {
      if (message.role != Role::user) return "a follow-up is not the user's";
      asked.messages.push_back(message);
    }
    return blip3u::problem_of(asked);
  }
  if (item.images.empty() || !std::ranges::all_of(item.images, is_picture)) {
    return "it has no picture, or one that is not [3,H,W] uint8 on the CPU";
  }
  return {};
}

/// A task whose every fault is told in its name.
class NamedTask {
 private:
  Error fault(const std::string& what) const {
    return Error(Fault::plugin, fmt::format("task {}: it {}; report this to its author", name_, what));
  }

  template <class Call>
  auto call(const char* member, const Call& call) const {
    return call_plugin(
        call, [&](const std::string& reason) { return fault(fmt::format("failed in {}(): {}", member, reason)); });
  }

 public:
  NamedTask(const Task& task, const std::filesystem::path& folder) : task_(task), name_(folder.filename().string()) {}

  std::vector<Item> items(const TaskData& data, std::uint64_t seed) const {
    std::vector<Item> items = call("items", [&] { return task_.items(data, seed); });
    if (items.empty()) throw fault("lists no items though it says that the data can serve it");
    std::set<std::string_view> ids;
    for (const Item& item : items) {
      std::string problem = problem_of(item, task_.needs());
      if (!ids.insert(item.id).second) problem = "another has the same id";
      if (!problem.empty()) throw fault(fmt::format("lists the item `{}`, but {}", item.id, problem));
    }
    return items;
  }

  std::vector<ItemRecord> score(const Item& item, const std::vector<Output>& outputs) const {
    std::vector<ItemRecord> records = call("score", [&] { return task_.score(item, outputs); });
    if (records.size() != outputs.size()) {
      throw fault(fmt::format("gives {} records for {} replies to `{}`", records.size(), outputs.size(), item.id));
    }
    for (const ItemRecord& record : records) {
      if (!std::isfinite(record.score)) throw fault(fmt::format("scores `{}` by no finite number", record.id));
      for (const LabelledImage& image : record.images) {
        if (is_picture(image.image)) continue;
        throw fault(fmt::format("shows a picture of `{}` that is not [3,H,W] uint8 on the CPU", record.id));
      }
    }
    return records;
  }

  std::vector<Score> summarise(const TaskData& data, std::span<const ItemRecord> records, std::uint64_t seed) const {
    std::vector<Score> scores = call("summarise", [&] { return task_.summarise(data, records, seed); });
    for (const Score& score : scores) {
      if (std::isfinite(score.value) && std::isfinite(score.low) && std::isfinite(score.high)) continue;
      throw fault(fmt::format("gives `{}` no finite value or interval", score.name));
    }
    return scores;
  }

 private:
  const Task& task_;
  std::string name_;
};

TaskResult scored(const NamedTask& task, const std::vector<Item>& items, const Predictions& predictions,
                  const TaskData& data, std::uint64_t seed) {
  TaskResult result;
  for (const Item& item : items) {
    stop_if_interrupted();
    for (ItemRecord& record : task.score(item, predictions.outputs(item))) result.records.push_back(std::move(record));
  }
  result.scores = task.summarise(data, result.records, seed);
  result.influences = influences_of(result.scores, result.records, [&](std::span<const ItemRecord> records) {
    stop_if_interrupted();
    return task.summarise(data, records, seed);
  });
  return result;
}

std::vector<std::size_t> unanswered(const std::vector<Item>& items, const Predictions& predictions) {
  std::vector<std::size_t> places;
  for (std::size_t place = 0; place < items.size(); ++place) {
    if (!predictions.has(items[place])) places.push_back(place);
  }
  return places;
}

}  // namespace

TaskResult evaluate(const Task& task, Model& model, const TaskData& data, std::uint64_t seed,
                    const std::filesystem::path& folder,
                    const std::function<void(std::int64_t done, std::int64_t total)>& progress,
                    const Choosing& choosing) {
  const NamedTask named(task, folder);
  const std::vector<Item> items = named.items(data, seed);
  Predictions predictions(folder, seed);
  const std::vector<std::size_t> wanted = unanswered(items, predictions);
  std::int64_t total = 0, left = 0;
  for (const Item& item : items) total += item.replies;
  for (const std::size_t place : wanted) left += items[place].replies;
  const auto tell = [&] {
    if (progress) progress(total - left, total);
  };
  tell();
  for (const ItemBatch& batch : batches_of(task.needs(), items, wanted)) {
    stop_if_interrupted();
    const auto outputs = ask(model, task.needs(), items, batch, data.image_size, seed, choosing);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      predictions.append(items[batch[i]], outputs[i]);
      left -= items[batch[i]].replies;
    }
    tell();
  }
  return scored(named, items, predictions, data, seed);
}

TaskResult score_again(const Task& task, const TaskData& data, std::uint64_t seed,
                       const std::filesystem::path& folder) {
  const NamedTask named(task, folder);
  const std::vector<Item> items = named.items(data, seed);
  const Predictions predictions(folder, seed);
  if (const std::size_t missing = unanswered(items, predictions).size(); missing > 0) {
    throw Error(fmt::format("{}: the replies to {} of {} items are missing; evaluate the task with the model",
                            folder.string(), missing, items.size()));
  }
  return scored(named, items, predictions, data, seed);
}

}  // namespace blip3u
