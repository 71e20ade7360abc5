// What the tasks that judge pictures of one coloured shape have in common.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "blip3u/task.h"
#include "eval/shapes.h"

namespace blip3u::eval {

/// Counts how often a picture shows the right colour and shape.
class ShapeTally {
 public:
  /// Returns whether both are right.
  bool add(const ShapeReading& reading, const ColouredShape& expected);

  std::int64_t count() const { return count_; }
  std::int64_t both() const { return both_; }

  /// NAME for both, NAME_colour and NAME_shape.
  std::vector<Score> scores(const std::string& name, const std::string& protocol) const;

 private:
  std::int64_t count_ = 0, both_ = 0, colour_ = 0, shape_ = 0;
};

/// "red circle", or why there is nothing.
std::string to_text(const ShapeReading&);

/// The coloured shape of each test image whose caption names one.
struct Truth {
  std::int64_t index;
  ColouredShape shape;
};
std::vector<Truth> test_truths(const Dataset& dataset);

/// How often the scorer itself is right on the real test images: a reference for every score it gives.
Score scorer_reference(const std::string& name, const Dataset& dataset, const std::vector<Truth>& truths,
                       ShapeProtocol protocol);

/// Test images first .. first+count of a list of indices, as one batch.
Tensor stack_images(const Dataset& dataset, const std::vector<std::int64_t>& indices);

/// Calls work(first, last) for pieces of at most `most` of `count` items and reports progress after each.
void in_pieces(std::int64_t count, std::int64_t most,
               const std::function<void(std::int64_t done, std::int64_t total)>& progress,
               const std::function<void(std::int64_t first, std::int64_t last)>& work);

/// Marks a score as one that others are compared with.
Score as_reference(Score score);

}  // namespace blip3u::eval
