#include "shapes.h"

#include <array>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "blip3u/error.h"
#include "blip3u/image.h"
#include "drawing.h"
#include "recorder.h"

namespace blip3u::conformance {

namespace {

constexpr std::array<const char*, 8> colours = {"red", "green", "blue", "yellow", "teal", "brown", "black", "gray"};
constexpr std::array<const char*, 3> names = {"circle", "rectangle", "triangle"};

/// The last text of a conversation.
std::string text_of(const Request& request) {
  std::string text;
  for (const Message& message : request.messages) {
    for (const Part& part : message.content) text = part.type == Part::Type::text ? part.text : text;
  }
  return text;
}

}  // namespace

Shapes::Shapes() {
  for (std::size_t colour = 0; colour < colours.size(); ++colour) {
    for (std::size_t shape = 0; shape < names.size(); ++shape) {
      described_.push_back({fmt::format("a {} {}", colours[colour], names[shape]),
                            {{"what color is the shape?", colours[colour], "colour"},
                             {"what shape is in the image?", names[shape], "shape"},
                             {"is there a circle?", shape == 0 ? "yes" : "no", "yes_no"}}});
      images_.push_back(draw({.colour = colour, .shape = shape}));
    }
  }
}

Sample Shapes::sample(Split split, std::int64_t index) const {
  const std::int64_t picture = index / 4, question = index % 4 - 1;
  const Described& described = described_[static_cast<std::size_t>(picture)];
  Sample sample;
  sample.id = fmt::format("{}{}#{}", split == Split::train ? "train " : "", picture,
                          question < 0 ? "caption" : std::to_string(question));
  sample.images = {to_bytes(images_[static_cast<std::size_t>(picture)])};
  sample.captions = {described.caption};
  sample.labels = {
      {"image", std::to_string(picture)}, {"class", described.caption}, {"held_out", picture % 6 == 0 ? "yes" : "no"}};
  if (question < 0) {
    sample.messages = {{Role::user, {text_part(described.caption)}}, {Role::assistant, {image_part(0, 1)}}};
    return sample;
  }
  const auto& [text, answer, kind] = described.questions[static_cast<std::size_t>(question)];
  sample.labels.emplace_back("kind", kind);
  sample.messages = {{Role::user, {image_part(0), text_part(text)}}, {Role::assistant, {text_part(answer, 1)}}};
  return sample;
}

std::vector<std::string> Shapes::classes() const {
  std::vector<std::string> captions;
  for (const Described& described : described_) captions.push_back(described.caption);
  return captions;
}

std::string Shapes::answer(std::int64_t index, const std::string& question) const {
  const Described& described = described_[static_cast<std::size_t>(index)];
  for (const Question& known : described.questions) {
    if (known.text == question) return known.answer;
  }
  return described.caption;
}

std::int64_t Shapes::nearest(const Tensor& image) const {
  const Tensor wanted = at::adaptive_avg_pool2d(image.to(at::kCPU, at::kFloat), {64, 64});
  return (at::stack(images_) - wanted).abs().sum(at::IntArrayRef({1, 2, 3})).argmin().item<std::int64_t>();
}

std::int64_t Shapes::captioned(const std::string& text) const {
  for (std::int64_t i = 0; i < count; ++i) {
    if (text.find(described_[static_cast<std::size_t>(i)].caption.substr(2)) != std::string::npos)
      return i;  // with or without its article
  }
  throw Error(fmt::format("the task asks the model about \"{}\", which is no caption of the data set", text));
}

void KnowingModel::use(Ability ability) const {
  if (ability == ability_) return;
  fail("it asks the model for something else than the ability that `needs()` names");
}

Tensor KnowingModel::classify(const Tensor& images, const std::vector<std::string>& captions) {
  use(Ability::classify);
  Tensor scores =
      at::zeros({images.size(0), static_cast<std::int64_t>(captions.size())}, at::TensorOptions(at::kFloat));
  for (std::int64_t row = 0; row < images.size(0); ++row) {
    const std::int64_t wanted = other(shapes_.nearest(images[row]));
    for (std::size_t caption = 0; caption < captions.size(); ++caption) {
      if (shapes_.captioned(captions[caption]) == wanted) scores[row][static_cast<std::int64_t>(caption)] = 1;
    }
  }
  return scores;
}

Tensor KnowingModel::embed_images(const Tensor&) { fail("it asks for embeddings, which no ability names"); }
Tensor KnowingModel::embed_texts(const std::vector<std::string>&) {
  fail("it asks for embeddings, which no ability names");
}

std::vector<Reply> KnowingModel::respond(std::span<const Request> requests, const Events& events) {
  std::vector<Reply> replies;
  for (const Request& request : requests) {
    Reply reply{.message = {Role::assistant, {}}};
    const bool chooses = request.want == Want::any;  // it draws where it is shown nothing
    if (chooses) use(Ability::converse);
    if (request.want == Want::image || (chooses && request.images.empty())) {
      if (!chooses) use(Ability::generate);
      reply.images = {shapes_.image(other(shapes_.captioned(text_of(request))))};
      reply.message.content = {image_part(std::ssize(request.images))};
    } else {
      if (!chooses) use(Ability::answer);
      reply.message.content = {text_part(answer(request))};
    }
    if (events.finished) events.finished(replies.size(), reply);
    replies.push_back(std::move(reply));
  }
  return replies;
}

std::string KnowingModel::answer(const Request& request) const {
  if (request.images.empty()) fail("it asks a question about no picture");
  return shapes_.answer(other(shapes_.nearest(request.images.front())), text_of(request));
}

std::vector<double> KnowingModel::log_likelihood(std::span<const Request> requests,
                                                 const std::vector<std::string>& replies) {
  use(Ability::choose);
  std::vector<double> values;
  for (std::size_t i = 0; i < requests.size(); ++i) values.push_back(answer(requests[i]) == replies[i] ? -0.1 : -9);
  return values;
}

Tensor KnowingModel::reconstruct(const Tensor& images, const std::vector<std::uint64_t>&) {
  use(Ability::reconstruct);
  std::vector<Tensor> made;
  for (std::int64_t row = 0; row < images.size(0); ++row) {
    made.push_back(shapes_.image(other(shapes_.nearest(images[row]))));
  }
  return at::stack(made);
}

}  // namespace blip3u::conformance
