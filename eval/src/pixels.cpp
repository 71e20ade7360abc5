#include "eval/pixels.h"

#include <algorithm>

#include <ATen/TensorOperators.h>
#include <ATen/ops/pdist.h>
#include <ATen/ops/stack.h>

#include "blip3u/image.h"
#include "eval/statistics.h"

namespace blip3u::eval {

namespace {

constexpr std::size_t most_compared = 20;

}  // namespace

double absolute_error(const Tensor& made, const Tensor& real) {
  Tensor other = from_bytes(real);
  if (other.sizes() != made.sizes()) other = resize_image(other, made.size(1));
  // Half, because pixels lie in [-1,1] and the error is given as a share of the full range.
  return (from_bytes(made) - other).abs().mean().div(2).item<double>();
}

Score absolute_error_score(const std::string& name, std::span<const ItemRecord> records) {
  std::vector<double> errors;
  std::vector<std::int64_t> clusters;
  for (const ItemRecord& record : records) {
    errors.push_back(record.values.at("error"));
    clusters.push_back(std::ssize(clusters));
  }
  Score error = mean_score(name + "/absolute_error", "mean_absolute_error@1", errors, clusters);
  error.interval = "student";  // each image is its own cluster
  error.higher_is_better = false;
  return error;
}

std::vector<double> distances(std::span<const Output> outputs) {
  std::vector<Tensor> pictures;
  for (const Output& output : outputs.first(std::min(outputs.size(), most_compared))) {
    if (output.images.empty()) return {};
    pictures.push_back(output.images.front());
  }
  if (pictures.size() < 2) return {};
  const Tensor flat = from_bytes(at::stack(pictures)).flatten(1);
  const Tensor pairs = at::pdist(flat, 1).div(2 * static_cast<double>(flat.size(1))).to(at::kDouble).contiguous();
  const double* pair = pairs.const_data_ptr<double>();
  std::vector<double> sums(pictures.size(), 0);
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    for (std::size_t j = i + 1; j < pictures.size(); ++j, ++pair) {
      sums[i] += *pair;
      sums[j] += *pair;
    }
  }
  for (double& sum : sums) sum /= static_cast<double>(pictures.size() - 1);
  return sums;
}

std::vector<Score> diversity_score(const std::string& name, std::span<const ItemRecord> records) {
  std::vector<double> values;
  std::vector<std::int64_t> groups;
  Clusters clusters;
  for (const ItemRecord& record : records) {
    const auto distance = record.values.find("distance");
    if (distance == record.values.end()) continue;
    values.push_back(distance->second);
    groups.push_back(clusters.of(record.group));
  }
  if (values.empty()) return {};
  return {mean_score(name + "/diversity", "pixel_distance@1", values, groups)};
}

}  // namespace blip3u::eval
