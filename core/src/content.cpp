#include "blip3u/content.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "blip3u/utf8.h"
#include "model/pictures.h"

namespace blip3u {

namespace {

bool is_text(const std::string& text) { return first_not_utf8(text) == std::string::npos; }

std::string problem_of(const Part& part, Role role, std::size_t images) {
  if (!std::isfinite(part.weight) || part.weight < 0) return fmt::format("a part has the weight {}", part.weight);
  if (part.weight > 0 && role != Role::assistant) return "a part that is learned is not the assistant's";
  if (part.type == Part::Type::text) return is_text(part.text) ? "" : "a text is not UTF-8";
  if (part.image < 0 || part.image >= static_cast<std::int64_t>(images)) {
    return fmt::format("a part names image {}, but there are {}", part.image, images);
  }
  return {};
}

}  // namespace

std::string problem_of(const Sample& sample) {
  if (!is_text(sample.id)) return "the id is not UTF-8";
  if (sample.messages.empty()) return "it has no messages";
  if (sample.captions.size() > sample.images.size()) return "it has more captions than images";
  if (!std::ranges::all_of(sample.captions, is_text)) return "a caption is not UTF-8";
  for (const auto& [name, value] : sample.labels) {
    if (!is_text(name) || !is_text(value)) return "a label is not UTF-8";
  }
  for (const Tensor& image : sample.images) {
    if (!is_picture(image)) return "an image is not [3,H,W] uint8 on the CPU";
  }
  for (const Message& message : sample.messages) {
    for (const Part& part : message.content) {
      if (std::string problem = problem_of(part, message.role, sample.images.size()); !problem.empty()) return problem;
    }
  }
  return {};
}

}  // namespace blip3u
