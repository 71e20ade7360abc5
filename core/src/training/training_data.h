// The data sets of a run, and what the stages read of them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "blip3u/dataset.h"
#include "blip3u/host.h"
#include "blip3u/task.h"
#include "data/sample_stream.h"
#include "recipe/recipe.h"

namespace blip3u {

/// Whether the labels are what all conditions, `label=value` or `label!=value`, want.
BLIP3U_API bool meets(const Sample& sample, const std::vector<std::string>& filter);

/// Appends a sample's texts, captions and what is said.
void add_texts(const Sample& sample, std::vector<std::string>& texts);

/// All data sets of a recipe, open.
class BLIP3U_API TrainingData {
 public:
  explicit TrainingData(const Recipe& recipe);

  /// Of data sets that somebody else owns, of as many as the choice has sources.
  TrainingData(DataChoice choice, std::vector<const Dataset*> datasets);

  std::string fingerprint() const;
  std::vector<std::string> classes() const;  ///< of the first data set that knows some
  TaskData for_tasks() const;

  /// Throws Error with the reason unless there is a sample that stream() would give.
  void require(const std::function<bool(const Sample&)>& accept) const;

  /// The endless row of training samples that keep their source's filter and that `accept` wants. Corrupt ones are told
  /// on standard error, each once.
  std::unique_ptr<SampleStream> stream(std::uint64_t seed, std::int64_t batch,
                                       const std::function<bool(const Sample&)>& accept,
                                       const std::optional<StreamPosition>& from = std::nullopt) const;

 private:
  DataChoice choice_;
  std::vector<std::unique_ptr<Host>> hosts_;  // which data sets may keep
  std::vector<std::unique_ptr<Dataset>> own_;
  std::vector<const Dataset*> datasets_;
  std::shared_ptr<std::set<std::string>> named_ = std::make_shared<std::set<std::string>>();  // corrupt samples
};

/// Samples of one stage in batches, and where it stands in the data.
class BLIP3U_API SampleRows {
 public:
  SampleRows(const TrainingData& data, std::uint64_t seed, std::int64_t batch,
             std::function<bool(const Sample&)> accept)
      : data_(data), seed_(seed), batch_(batch), accept_(std::move(accept)) {}

  std::vector<Sample> next();  ///< a batch

  std::vector<NamedTensor> position() const;  ///< "data.row" and "data.lanes"; none before the first batch
  void go_on_from(const std::vector<NamedTensor>& position);

 private:
  const TrainingData& data_;
  std::uint64_t seed_;
  std::int64_t batch_;
  std::function<bool(const Sample&)> accept_;
  std::unique_ptr<SampleStream> stream_;  // made when the first batch is asked for
};

}  // namespace blip3u
