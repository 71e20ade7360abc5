#include "shapes.h"

#include <array>
#include <cmath>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "blip3u/error.h"

namespace blip3u::conformance {

namespace {

struct Colour {
  const char* name;
  std::array<float, 3> ink;
};
constexpr std::array<Colour, 8> colours = {{{"red", {255, 0, 0}},
                                            {"green", {0, 255, 0}},
                                            {"blue", {0, 0, 255}},
                                            {"yellow", {255, 255, 0}},
                                            {"teal", {0, 128, 128}},
                                            {"brown", {165, 42, 42}},
                                            {"black", {0, 0, 0}},
                                            {"gray", {128, 128, 128}}}};
constexpr std::array<const char*, 3> names = {"circle", "rectangle", "triangle"};
constexpr std::array<float, 3> ground = {236, 240, 228};

bool inside(std::size_t shape, double u, double v) {
  const bool box = std::abs(u) <= 1 && std::abs(v) <= 1;
  if (shape == 0) return u * u + v * v <= 1;
  return shape == 1 ? box : box && std::abs(u) <= (v + 1) / 2;
}

/// 8 x 8 samples a pixel.
Tensor draw(const Colour& colour, std::size_t shape) {
  constexpr std::int64_t size = 64;
  constexpr double centre_x = 30.3, centre_y = 33.1, radius = 11.2;
  Tensor image = at::empty({3, size, size}, at::TensorOptions(at::kFloat));
  float* const values = image.mutable_data_ptr<float>();
  for (std::int64_t y = 0; y < size; ++y) {
    for (std::int64_t x = 0; x < size; ++x) {
      int hits = 0;
      for (int sample = 0; sample < 64; ++sample) {
        const double u = (static_cast<double>(x) + (sample % 8 + 0.5) / 8 - centre_x) / radius;
        const double v = (static_cast<double>(y) + (sample / 8 + 0.5) / 8 - centre_y) / radius;
        if (inside(shape, u, v)) ++hits;
      }
      for (std::size_t channel = 0; channel < 3; ++channel) {
        const float value = ground[channel] + (colour.ink[channel] - ground[channel]) * static_cast<float>(hits) / 64;
        values[static_cast<std::int64_t>(channel) * size * size + y * size + x] = value / 127.5F - 1;
      }
    }
  }
  return image;
}

}  // namespace

Shapes::Shapes() {
  for (const Colour& colour : colours) {
    for (std::size_t shape = 0; shape < names.size(); ++shape) {
      examples_.push_back({.id = std::to_string(examples_.size()),
                           .caption = fmt::format("a {} {}", colour.name, names[shape]),
                           .questions = {{"what color is the shape?", colour.name},
                                         {"what shape is in the image?", names[shape]},
                                         {"is there a circle?", shape == 0 ? "yes" : "no"}}});
      images_.push_back(draw(colour, shape));
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

Tensor KnowingModel::classify(const Tensor& images, const std::vector<std::string>& captions) {
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

std::vector<std::string> KnowingModel::answer(const Tensor& images, const std::vector<std::string>& questions) {
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
  std::vector<Tensor> images;
  for (const std::string& prompt : prompts) {
    images.push_back(shapes_.image(Split::test, other(shapes_.captioned(prompt))));
  }
  const auto total = static_cast<std::int64_t>(prompts.size());
  if (report) report(total, total);
  return at::stack(images);
}

Tensor KnowingModel::reconstruct(const Tensor& images, const std::vector<std::uint64_t>&) {
  std::vector<Tensor> made;
  for (std::int64_t row = 0; row < images.size(0); ++row) {
    made.push_back(shapes_.image(Split::test, other(shapes_.nearest(images[row]))));
  }
  return at::stack(made);
}

}  // namespace blip3u::conformance
