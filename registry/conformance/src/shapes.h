// A data set of coloured shapes, and a model that knows it by heart: what tasks are tried on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "blip3u/dataset.h"
#include "blip3u/model.h"

namespace blip3u::conformance {

/// One picture of each of 24 pairs of colour and shape, 64 x 64 pixels in the manner of easy-vqa, in both splits, with
/// a caption (every sixth is held out) and three questions each; labelled as easy_vqa labels them.
class Shapes : public Dataset, public Indexed, public Classes {
 public:
  static constexpr std::int64_t count = 24;

  Shapes();
  std::vector<Chapter> chapters(Split split) const override { return {{"shapes", samples(split)}}; }
  std::unique_ptr<Reader> open(Split split, std::int64_t) const override { return read_in_order(*this, split); }
  std::string fingerprint() const override { return "shapes"; }
  std::int64_t samples(Split) const override { return 4 * count; }
  Sample sample(Split, std::int64_t index) const override;
  std::vector<std::string> classes() const override;

  /// [3,64,64] float32 in [-1,1].
  Tensor image(std::int64_t index) const { return images_.at(static_cast<std::size_t>(index)).clone(); }
  /// The picture that is most like this one.
  std::int64_t nearest(const Tensor& image) const;
  /// The picture with this caption.
  std::int64_t captioned(const std::string& text) const;
  /// The answer about a picture; its caption, to a question that nobody asked.
  std::string answer(std::int64_t index, const std::string& question) const;

 private:
  struct Question {
    std::string text, answer, kind;
  };
  struct Described {
    std::string caption;
    std::vector<Question> questions;
  };
  std::vector<Described> described_;
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
  Tensor embed_images(const Tensor& images) override;
  Tensor embed_texts(const std::vector<std::string>& texts) override;
  /// One turn each: a question about the first picture, or a prompt.
  std::vector<Reply> respond(std::span<const Request> requests, const Events& events) override;
  std::vector<double> log_likelihood(std::span<const Request> requests,
                                     const std::vector<std::string>& replies) override;
  Tensor reconstruct(const Tensor& images, const std::vector<std::uint64_t>& seeds) override;

 private:
  void use(Ability ability) const;
  std::int64_t other(std::int64_t index) const { return (index + shift_) % Shapes::count; }
  std::string answer(const Request& request) const;

  const Shapes& shapes_;
  std::int64_t shift_;
  Ability ability_;
};

}  // namespace blip3u::conformance
