// What the tasks that judge pictures of one coloured shape have in common.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "blip3u/task.h"
#include "easy_vqa/shapes.h"

namespace blip3u::easy_vqa {

/// Counts how often a picture shows the right colour and shape.
class ShapeTally {
 public:
  void add(bool colour, bool shape);

  /// The share of pictures whose colour and shape are both right, with Wilson's interval.
  Score score(const std::string& name, const std::string& protocol) const;

  /// That, NAME_colour and NAME_shape, of pictures that are independent of each other.
  std::vector<Score> scores(const std::string& name, const std::string& protocol) const;

  /// The same of pictures that are not: clusters[i] says to which cluster the picture added as number i belongs.
  std::vector<Score> scores(const std::string& name, const std::string& protocol,
                            const std::vector<std::int64_t>& clusters) const;

 private:
  std::vector<double> both_, colour_, shape_;  // of each picture: 1 if right, else 0
};

/// Reads a picture [3,S,S] uint8 and writes the outcome into the record: output, score, values colour and shape.
void judge(const Tensor& picture, const ColouredShape& expected, ShapeProtocol protocol, ItemRecord& record);

/// The test pictures that show one coloured shape, each once.
struct Truth {
  std::string id;
  Tensor image;  ///< [3,H,W] uint8
  ColouredShape shape;
};
std::vector<Truth> test_truths(const TaskData& data);

/// How often the scorer itself is right on the real test pictures: a reference for every score it gives.
Score scorer_reference(const std::string& name, const TaskData& data, ShapeProtocol protocol);

}  // namespace blip3u::easy_vqa
