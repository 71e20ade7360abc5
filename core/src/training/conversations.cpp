#include "training/conversations.h"

namespace blip3u {

std::vector<Dialogue> question_dialogues(const Dataset& dataset) {
  std::vector<Dialogue> dialogues;
  for (std::int64_t image = 0; image < dataset.size(Split::train); ++image) {
    const auto questions = static_cast<std::int64_t>(dataset.example(Split::train, image).questions.size());
    for (std::int64_t question = 0; question < questions; ++question) dialogues.push_back({image, question});
  }
  return dialogues;
}

std::vector<Dialogue> picture_dialogues(const Dataset& dataset) {
  std::vector<Dialogue> dialogues;
  for (std::int64_t image = 0; image < dataset.size(Split::train); ++image) {
    if (dataset.trains_generation(image)) dialogues.push_back({image, -1});
  }
  return dialogues;
}

}  // namespace blip3u
