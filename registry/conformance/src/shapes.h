// A data set of coloured shapes, and a model that knows it, for tasks.
#pragma once

#include <string>
#include <vector>

#include "blip3u/dataset.h"
#include "blip3u/model.h"

namespace blip3u::conformance {

/// One picture of each of 24 pairs of colour and shape, 64 x 64 pixels in the manner of easy-vqa, in both splits.
class Shapes : public Dataset {
 public:
  static constexpr std::int64_t count = 24;

  Shapes();
  std::int64_t size(Split) const override { return count; }
  const Example& example(Split, std::int64_t index) const override { return examples_.at(place(index)); }
  Tensor image(Split, std::int64_t index) const override { return images_.at(place(index)).clone(); }
  bool trains_generation(std::int64_t) const override { return true; }
  std::vector<std::string> classes() const override;
  std::vector<Prompt> prompts() const override;
  std::string fingerprint() const override { return "shapes"; }

  /// The picture that is most like this one.
  std::int64_t nearest(const Tensor& image) const;
  /// The picture with this caption.
  std::int64_t captioned(const std::string& text) const;

 private:
  static std::size_t place(std::int64_t index) { return static_cast<std::size_t>(index); }

  std::vector<Example> examples_;
  std::vector<Tensor> images_;
};

/// Gives for each item the right answer of the item `shift` places on: 0 is perfect.
class KnowingModel : public Model {
 public:
  /// Throws Failure when it is asked for another ability than this.
  KnowingModel(const Shapes& shapes, std::int64_t shift, Ability ability)
      : shapes_(shapes), shift_(shift), ability_(ability) {}

  std::string missing_for(Ability) const override { return {}; }
  Tensor classify(const Tensor& images, const std::vector<std::string>& captions) override;
  /// One turn each: a question about the first picture, or a prompt.
  std::vector<Reply> respond(std::span<const Request> requests, const Events& events) override;
  std::vector<std::string> answer(const Tensor& images, const std::vector<std::string>& questions) override;
  Tensor generate(const std::vector<std::string>& prompts, const std::vector<std::uint64_t>& seeds,
                  const std::function<void(std::int64_t done, std::int64_t total)>& report) override;
  Tensor reconstruct(const Tensor& images, const std::vector<std::uint64_t>& seeds) override;

 private:
  void use(Ability ability) const;
  std::int64_t other(std::int64_t index) const { return (index + shift_) % Shapes::count; }

  const Shapes& shapes_;
  std::int64_t shift_;
  Ability ability_;
};

}  // namespace blip3u::conformance
