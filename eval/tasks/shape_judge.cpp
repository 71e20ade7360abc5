#include "shape_judge.h"

#include <algorithm>
#include <utility>

#include <ATen/ops/stack.h>

#include "eval/statistics.h"

namespace blip3u::eval {

bool ShapeTally::add(const ShapeReading& reading, const ColouredShape& expected) {
  ++count_;
  if (!reading.found) return false;
  if (reading.found->colour == expected.colour) ++colour_;
  if (reading.found->shape == expected.shape) ++shape_;
  const bool right = *reading.found == expected;
  if (right) ++both_;
  return right;
}

std::vector<Score> ShapeTally::scores(const std::string& name, const std::string& protocol) const {
  return {share_score(name, protocol, both_, count_), share_score(name + "_colour", protocol, colour_, count_),
          share_score(name + "_shape", protocol, shape_, count_)};
}

std::string to_text(const ShapeReading& reading) { return reading.found ? to_text(*reading.found) : reading.reason; }

std::vector<Truth> test_truths(const Dataset& dataset) {
  std::vector<Truth> truths;
  for (std::int64_t index = 0; index < dataset.size(Split::test); ++index) {
    if (const auto shape = parse_coloured_shape(dataset.example(Split::test, index).caption)) {
      truths.push_back({index, *shape});
    }
  }
  return truths;
}

Score scorer_reference(const std::string& name, const Dataset& dataset, const std::vector<Truth>& truths,
                       ShapeProtocol protocol) {
  ShapeTally tally;
  for (const auto& [index, shape] : truths) tally.add(read_shape(dataset.image(Split::test, index), protocol), shape);
  return as_reference(share_score(name, protocol_name(protocol), tally.both(), tally.count()));
}

Tensor stack_images(const Dataset& dataset, const std::vector<std::int64_t>& indices) {
  std::vector<Tensor> images;
  images.reserve(indices.size());
  for (const auto index : indices) images.push_back(dataset.image(Split::test, index));
  return at::stack(images);
}

void in_pieces(std::int64_t count, std::int64_t most,
               const std::function<void(std::int64_t done, std::int64_t total)>& progress,
               const std::function<void(std::int64_t first, std::int64_t last)>& work) {
  for (std::int64_t first = 0; first < count; first += most) {
    const auto last = std::min(first + most, count);
    work(first, last);
    if (progress) progress(last, count);
  }
}

Score as_reference(Score score) {
  score.reference = true;
  return score;
}

}  // namespace blip3u::eval
