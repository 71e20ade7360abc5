// What the tasks that judge pictures of one coloured shape have in common.
#pragma once

#include <cstdint>
#include <functional>
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

  bool empty() const { return both_.empty(); }

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

/// "red circle", or why there is nothing.
std::string to_text(const ShapeReading&);

/// The coloured shape of each test image that has a caption. None at all if one caption names none: then the pictures
/// are of something else, and a shape would be read into them.
struct Truth {
  std::int64_t index;
  ColouredShape shape;
};
std::vector<Truth> test_truths(const Dataset& dataset);

/// How often the scorer itself is right on the real test images: a reference for every score it gives.
Score scorer_reference(const std::string& name, const Dataset& dataset, const std::vector<Truth>& truths,
                       ShapeProtocol protocol);

/// Calls work(first, last) for pieces of at most `most` of `count` items and reports progress after each.
void in_pieces(std::int64_t count, std::int64_t most,
               const std::function<void(std::int64_t done, std::int64_t total)>& progress,
               const std::function<void(std::int64_t first, std::int64_t last)>& work);

/// Marks a score as one that others are compared with.
Score as_reference(Score score);

}  // namespace blip3u::eval
