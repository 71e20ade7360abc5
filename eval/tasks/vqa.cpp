// Visual question answering on the test questions.
#include <algorithm>
#include <cctype>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "blip3u/plugin.h"
#include "blip3u/random.h"
#include "blip3u/task.h"
#include "components.h"
#include "eval/shapes.h"
#include "eval/statistics.h"
#include "shape_judge.h"
#include "training/training_data.h"

namespace blip3u::eval {

namespace {

constexpr const char* protocol = "exact_match@1";

/// What exact_match@1 compares: lower case, punctuation dropped, words one space apart.
std::string plain(std::string_view answer) {
  std::string result;
  bool gap = false;
  for (const char raw : answer) {
    const auto character = static_cast<unsigned char>(raw);
    if (std::isspace(character) != 0) {
      gap = !result.empty();
    } else if (std::ispunct(character) == 0) {
      if (std::exchange(gap, false)) result += ' ';
      result += static_cast<char>(std::tolower(character));
    }
  }
  return result;
}

/// The kind of a question, by its answer.
std::string kind_of(const std::string& answer) {
  if (answer == "yes" || answer == "no") return "yes_no";
  if (std::ranges::find(shape_colours, answer) != shape_colours.end()) return "colour";
  if (std::ranges::find(shape_names, answer) != shape_names.end()) return "shape";
  return "other";
}

/// Answers without looking: the answer that training questions of the same text most often have.
class BlindMajority {
 public:
  explicit BlindMajority(const Dataset& dataset) {
    std::map<std::string, Counts> by_question;
    Counts all;
    for (std::int64_t index = 0; index < dataset.size(Split::train); ++index) {
      for (const auto& question : dataset.example(Split::train, index).questions) {
        ++by_question[question.text][plain(question.answer)];
        ++all[plain(question.answer)];
      }
    }
    for (const auto& [question, counts] : by_question) answers_[question] = most_frequent(counts);
    fallback_ = most_frequent(all);
  }

  const std::string& answer(const std::string& question) const {
    const auto found = answers_.find(question);
    return found == answers_.end() ? fallback_ : found->second;
  }

 private:
  using Counts = std::map<std::string, std::int64_t>;

  static std::string most_frequent(const Counts& counts) {
    const auto best = std::ranges::max_element(counts, {}, [](const auto& entry) { return entry.second; });
    return best == counts.end() ? std::string() : best->first;
  }

  std::map<std::string, std::string> answers_;
  std::string fallback_;
};

class Vqa final : public Task {
 public:
  Vqa(const Parameters& parameters, const BuildContext&) : most_questions_(parameters.integer("questions")) {}

  Model::Ability needs() const override { return Model::Ability::answer; }

  std::string missing_for(const Dataset& dataset) const override {
    for (std::int64_t image = 0; image < dataset.size(Split::test); ++image) {
      if (!dataset.example(Split::test, image).questions.empty()) return {};
    }
    return "the data set has no test questions; give it some, or take the task out of the recipe";
  }

  TaskResult evaluate(const TaskContext& context) override {
    struct Asked {
      std::int64_t image;
      const Question* question;
    };
    std::vector<Asked> asked;
    for (std::int64_t image = 0; image < context.dataset.size(Split::test); ++image) {
      for (const auto& question : context.dataset.example(Split::test, image).questions) {
        if (most_questions_ > 0 && std::cmp_greater_equal(asked.size(), most_questions_)) break;
        asked.push_back({image, &question});
      }
    }

    const BlindMajority blind(context.dataset);
    struct Part {
      std::vector<double> values, blind_values;
      std::vector<std::int64_t> images;
    };
    std::map<std::string, Part> parts;  // "" is all of them
    TaskResult result;
    in_pieces(static_cast<std::int64_t>(asked.size()), 256, context.progress,
              [&](std::int64_t first, std::int64_t last) {
                std::vector<std::int64_t> indices;
                std::vector<std::string> questions;
                for (auto i = first; i < last; ++i) {
                  indices.push_back(asked[static_cast<std::size_t>(i)].image);
                  questions.push_back(asked[static_cast<std::size_t>(i)].question->text);
                }
                const auto answers =
                    context.model.answer(load_images(context.dataset, Split::test, indices, at::kCPU), questions);
                for (auto i = first; i < last; ++i) {
                  const auto& [image, question] = asked[static_cast<std::size_t>(i)];
                  const auto& answer = answers[static_cast<std::size_t>(i - first)];
                  const auto expected = plain(question->answer);
                  const double score = plain(answer) == expected ? 1.0 : 0.0;
                  for (const auto& name : {std::string(), kind_of(expected)}) {
                    auto& part = parts[name];
                    part.values.push_back(score);
                    part.blind_values.push_back(blind.answer(question->text) == expected ? 1.0 : 0.0);
                    part.images.push_back(image);
                  }
                  result.items.push_back({.id = context.dataset.example(Split::test, image).id,
                                          .input = question->text,
                                          .output = answer,
                                          .expected = question->answer,
                                          .score = score});
                }
              });
    for (const auto& [name, part] : parts) {
      const auto full_name = name.empty() ? std::string("vqa") : "vqa/" + name;
      result.scores.push_back(clustered_share_score(full_name, protocol, part.values, part.images));
      if (name.empty()) {
        result.scores.push_back(
            as_reference(clustered_share_score("vqa/blind_majority", protocol, part.blind_values, part.images)));
      }
    }
    return result;
  }

 private:
  std::int64_t most_questions_;
};

}  // namespace

std::unique_ptr<Component> create_vqa(const Parameters& parameters, const BuildContext& context) {
  return create<Vqa>(parameters, context);
}

}  // namespace blip3u::eval
