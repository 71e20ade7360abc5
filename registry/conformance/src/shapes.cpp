#include "shapes.h"

#include <array>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "blip3u/error.h"
#include "drawing.h"
#include "recorder.h"

namespace blip3u::conformance {

namespace {

constexpr std::array<const char*, 8> colours = {"red", "green", "blue", "yellow", "teal", "brown", "black", "gray"};
constexpr std::array<const char*, 3> names = {"circle", "rectangle", "triangle"};

}  // namespace

Shapes::Shapes() {
  for (std::size_t colour = 0; colour < colours.size(); ++colour) {
    for (std::size_t shape = 0; shape < names.size(); ++shape) {
      examples_.push_back({.id = std::to_string(examples_.size()),
                           .caption = fmt::format("a {} {}", colours[colour], names[shape]),
                           .questions = {{"what color is the shape?", colours[colour]},
                                         {"what shape is in the image?", names[shape]},
                                         {"is there a circle?", shape == 0 ? "yes" : "no"}}});
      images_.push_back(draw({.colour = colour, .shape = shape}));
    }
  }
}

std::vector<std::string> Shapes::classes() const {
  std::vector<std::string> captions;
  for (const Example& example : examples_) captions.push_back(example.caption);
  return captions;
}

std::vector<Prompt> Shapes::prompts() const {
  std::vector<Prompt> prompts;
  for (const Example& example : examples_) prompts.push_back({example.caption, prompts.size() % 6 == 0});
  return prompts;
}

std::int64_t Shapes::nearest(const Tensor& image) const {
  const Tensor wanted = at::adaptive_avg_pool2d(image.to(at::kCPU, at::kFloat), {64, 64});
  return (at::stack(images_) - wanted).abs().sum(at::IntArrayRef({1, 2, 3})).argmin().item<std::int64_t>();
}

std::int64_t Shapes::captioned(const std::string& text) const {
  for (std::int64_t i = 0; i < count; ++i) {
    if (text.find(examples_[place(i)].caption.substr(2)) != std::string::npos) return i;  // with or without its article
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

std::vector<Reply> KnowingModel::respond(std::span<const Request> requests, const Events& events) {
  std::vector<Reply> replies;
  for (const Request& request : requests) {
    std::string text;
    for (const Message& message : request.messages) {
      for (const Part& part : message.content) text = part.type == Part::Type::text ? part.text : text;
    }
    Reply reply{.message = {Role::assistant, {}}};
    if (request.want == Want::image) {
      reply.images = {generate({text}, {request.seed}, {})[0]};
      reply.message.content = {image_part(std::ssize(request.images))};
    } else {
      if (request.images.empty()) fail("it asks a question about no picture");
      reply.message.content = {text_part(answer(request.images.front().unsqueeze(0), {text}).front())};
    }
    if (events.finished) events.finished(replies.size(), reply);
    replies.push_back(std::move(reply));
  }
  return replies;
}

std::vector<std::string> KnowingModel::answer(const Tensor& images, const std::vector<std::string>& questions) {
  use(Ability::answer);
  std::vector<std::string> answers;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const std::int64_t index = other(shapes_.nearest(images[static_cast<std::int64_t>(i)]));
    answers.emplace_back();
    for (const Question& question : shapes_.example(Split::test, index).questions) {
      if (questions[i] == question.text) answers.back() = question.answer;
    }
  }
  return answers;
}

Tensor KnowingModel::generate(const std::vector<std::string>& prompts, const std::vector<std::uint64_t>&,
                              const std::function<void(std::int64_t, std::int64_t)>& report) {
  use(Ability::generate);
  std::vector<Tensor> images;
  images.reserve(prompts.size());
  for (const std::string& prompt : prompts) {
    images.push_back(shapes_.image(Split::test, other(shapes_.captioned(prompt))));
  }
  const auto total = static_cast<std::int64_t>(prompts.size());
  if (report) report(total, total);
  return at::stack(images);
}

Tensor KnowingModel::reconstruct(const Tensor& images, const std::vector<std::uint64_t>&) {
  use(Ability::reconstruct);
  std::vector<Tensor> made;
  for (std::int64_t row = 0; row < images.size(0); ++row) {
    made.push_back(shapes_.image(Split::test, other(shapes_.nearest(images[row]))));
  }
  return at::stack(made);
}

}  // namespace blip3u::conformance
