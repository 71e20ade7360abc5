#include "shape_judge.h"

#include <algorithm>

#include "eval/statistics.h"

namespace blip3u::eval {

namespace {

Score share_of(const std::string& name, const std::string& protocol, const std::vector<double>& right) {
  return share_score(name, protocol, std::ranges::count(right, 1.0), static_cast<std::int64_t>(right.size()));
}

}  // namespace

bool ShapeTally::add(const ShapeReading& reading, const ColouredShape& expected) {
  const bool colour = reading.found && reading.found->colour == expected.colour;
  const bool shape = reading.found && reading.found->shape == expected.shape;
  colour_.push_back(colour ? 1.0 : 0.0);
  shape_.push_back(shape ? 1.0 : 0.0);
  both_.push_back(colour && shape ? 1.0 : 0.0);
  return colour && shape;
}

Score ShapeTally::score(const std::string& name, const std::string& protocol) const {
  return share_of(name, protocol, both_);
}

std::vector<Score> ShapeTally::scores(const std::string& name, const std::string& protocol) const {
  return {score(name, protocol), share_of(name + "_colour", protocol, colour_),
          share_of(name + "_shape", protocol, shape_)};
}

std::vector<Score> ShapeTally::scores(const std::string& name, const std::string& protocol,
                                      const std::vector<std::int64_t>& clusters) const {
  return {clustered_share_score(name, protocol, both_, clusters),
          clustered_share_score(name + "_colour", protocol, colour_, clusters),
          clustered_share_score(name + "_shape", protocol, shape_, clusters)};
}

std::string to_text(const ShapeReading& reading) { return reading.found ? to_text(*reading.found) : reading.reason; }

std::vector<Truth> test_truths(const Dataset& dataset) {
  std::vector<Truth> truths;
  for (std::int64_t index = 0; index < dataset.size(Split::test); ++index) {
    const auto& caption = dataset.example(Split::test, index).caption;
    if (caption.empty()) continue;  // unknown
    const auto shape = parse_coloured_shape(caption);
    if (!shape) return {};
    truths.push_back({index, *shape});
  }
  return truths;
}

Score scorer_reference(const std::string& name, const Dataset& dataset, const std::vector<Truth>& truths,
                       ShapeProtocol protocol) {
  ShapeTally tally;
  for (const auto& [index, shape] : truths) tally.add(read_shape(dataset.image(Split::test, index), protocol), shape);
  return as_reference(tally.score(name, protocol_name(protocol)));
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
