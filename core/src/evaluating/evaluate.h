// Evaluates a task: asks the model for its items, keeps the replies, scores them and sums up.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "blip3u/task.h"
#include "evaluating/influence.h"
#include "model/best_of.h"

namespace blip3u {

struct TaskResult {
  std::vector<Score> scores;
  std::vector<ItemRecord> records;  ///< of all replies, in the order of the items
  Influences influences;            ///< of the items on the scores
};

/// Asks the model for what is not in `folder` yet, batch by batch, stores each batch there and scores what is stored.
/// `folder` is the task's own, evaluation/LIBRARY.NAME of a run, after which errors call the task. `progress` is told
/// of replies. Throws Interrupted between batches after an interrupt, and Error(Fault::plugin) where the task breaks
/// its contract. With `choosing`, pictures are made by best_replies().
BLIP3U_API TaskResult evaluate(const Task& task, Model& model, const TaskData& data, std::uint64_t seed,
                               const std::filesystem::path& folder,
                               const std::function<void(std::int64_t done, std::int64_t total)>& progress,
                               const Choosing& choosing = {});

/// Scores the stored replies again, without a model. Throws Error if any is missing.
BLIP3U_API TaskResult score_again(const Task& task, const TaskData& data, std::uint64_t seed,
                                  const std::filesystem::path& folder);

}  // namespace blip3u
