// What the tasks take from data sets.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "blip3u/task.h"

namespace blip3u::eval {

/// The text that a user's conversation ends with, and the text that the assistant is to say; both empty if the sample
/// is not of one question and one answer.
struct Asked {
  std::string question, answer;
};
inline Asked asked_in(const Sample& sample) {
  if (sample.messages.size() < 2) return {};
  const Message &last = sample.messages.back(), &before = sample.messages[sample.messages.size() - 2];
  if (last.role != Role::assistant || last.content.size() != 1 || before.content.empty()) return {};
  if (last.content[0].type != Part::Type::text || before.content.back().type != Part::Type::text) return {};
  return {before.content.back().text, last.content[0].text};
}

/// What a sample's picture is called: its label "image", else the sample's id.
inline std::string picture_of(const Sample& sample) {
  std::string image = label_of(sample, "image");
  return image.empty() ? sample.id : image;
}

/// Calls take(sample, prefix, data set) for each test sample until it returns false. Ids are unique within a data set;
/// with the prefix they are so among several.
template <class Take>
void for_each_test_sample(const TaskData& data, const Take& take) {
  bool going = true;
  for (std::size_t place = 0; place < data.datasets.size() && going; ++place) {
    const Dataset& dataset = *data.datasets[place];
    const std::string prefix = data.datasets.size() > 1 ? std::to_string(place) + "/" : "";
    for_each_sample(dataset, Split::test,
                    [&](Sample&& sample) { return going = take(std::move(sample), prefix, dataset); });
  }
}

/// Calls take(sample, name, data set) for each test picture once, with the first sample that shows it, until it returns
/// false.
template <class Take>
void for_each_test_picture(const TaskData& data, const Take& take) {
  std::set<std::string> known;
  for_each_test_sample(data, [&](Sample&& sample, const std::string& prefix, const Dataset& dataset) {
    const std::string name = prefix + picture_of(sample);
    return sample.images.empty() || !known.insert(name).second || take(std::move(sample), name, dataset);
  });
}

}  // namespace blip3u::eval
