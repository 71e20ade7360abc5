// dataset: images with captions and questions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "blip3u/component.h"

namespace blip3u {

enum class Split { train, test };

struct Question {
  std::string text;
  std::string answer;
};

/// What is known of one image besides its pixels. All texts are UTF-8.
struct Example {
  std::string id;                   ///< unique within the split, for people
  std::string caption;              ///< empty if unknown
  std::vector<Question> questions;  ///< may be empty
};

/// Whether the id and all texts are UTF-8.
BLIP3U_API bool is_text(const Example& example);

/// A prompt to generate from in evaluation.
struct Prompt {
  std::string text;
  bool held_out = false;  ///< its content was kept out of generation training
};

class BLIP3U_API Dataset : public Component {
 public:
  ~Dataset() override;

  virtual std::int64_t size(Split) const = 0;
  virtual const Example& example(Split, std::int64_t index) const = 0;

  /// [3,S,S] float32 in [-1,1] on the CPU, S being the image size of the recipe. Throws Error naming the file.
  virtual Tensor image(Split, std::int64_t index) const = 0;

  /// Whether generation may be trained on this example (it has a caption, and the caption is not held out).
  virtual bool trains_generation(std::int64_t train_index) const = 0;

  /// Captions of the classes of zero-shot classification; empty if the data set has none.
  virtual std::vector<std::string> classes() const { return {}; }

  /// Prompts for evaluating generation; empty if the data set has none.
  virtual std::vector<Prompt> prompts() const { return {}; }

  /// A hash of the data and of everything that decides what `image` and `example` return.
  virtual std::string fingerprint() const = 0;
};

}  // namespace blip3u
