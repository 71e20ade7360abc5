#include "easy_vqa/judge.h"

#include <algorithm>
#include <set>

#include "blip3u/image.h"
#include "eval/statistics.h"

namespace blip3u::easy_vqa {

namespace {

Score share_of(const std::string& name, const std::string& protocol, const std::vector<double>& right) {
  return eval::share_score(name, protocol, std::ranges::count(right, 1.0), static_cast<std::int64_t>(right.size()));
}

}  // namespace

void ShapeTally::add(bool colour, bool shape) {
  colour_.push_back(colour ? 1.0 : 0.0);
  shape_.push_back(shape ? 1.0 : 0.0);
  both_.push_back(colour && shape ? 1.0 : 0.0);
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
  return {eval::clustered_share_score(name, protocol, both_, clusters),
          eval::clustered_share_score(name + "_colour", protocol, colour_, clusters),
          eval::clustered_share_score(name + "_shape", protocol, shape_, clusters)};
}

void judge(const Tensor& picture, const ColouredShape& expected, ShapeProtocol protocol, ItemRecord& record) {
  const ShapeReading reading = read_shape(from_bytes(picture), protocol);
  record.output = reading.found ? to_text(*reading.found) : reading.reason;
  record.expected = to_text(expected);
  record.score = reading.found == expected ? 1.0 : 0.0;
  record.values["colour"] = reading.found && reading.found->colour == expected.colour ? 1.0 : 0.0;
  record.values["shape"] = reading.found && reading.found->shape == expected.shape ? 1.0 : 0.0;
}

std::vector<Truth> test_truths(const TaskData& data) {
  std::vector<Truth> truths;
  for (const Dataset* dataset : data.datasets) {
    std::set<std::string> known;
    for_each_sample(*dataset, Split::test, [&](Sample&& sample) {
      const auto shape = parse_coloured_shape(label_of(sample, "class"));
      const std::string id = label_of(sample, "image");
      if (shape && known.insert(id).second) truths.push_back({id, sample.images.front(), *shape});
      return true;
    });
  }
  return truths;
}

Score scorer_reference(const std::string& name, const TaskData& data, ShapeProtocol protocol) {
  ShapeTally tally;
  for (const Truth& truth : test_truths(data)) {
    ItemRecord record;
    judge(truth.image, truth.shape, protocol, record);
    tally.add(record.values["colour"] == 1, record.values["shape"] == 1);
  }
  return eval::as_reference(tally.score(name, protocol_name(protocol)));
}

}  // namespace blip3u::easy_vqa
