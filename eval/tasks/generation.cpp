// Generation from the data set's prompts, judged by colour and shape, for seen and held-out prompts apart.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ops/pdist.h>
#include <fmt/format.h>

#include "blip3u/error.h"
#include "blip3u/plugin.h"
#include "blip3u/random.h"
#include "blip3u/task.h"
#include "components.h"
#include "eval/shapes.h"
#include "eval/statistics.h"
#include "shape_judge.h"

namespace blip3u::eval {

namespace {

/// One image to make.
struct Job {
  std::size_t prompt;
  std::uint64_t seed;
};

/// Mean distances (mean absolute difference as a share of the full range) of all pairs among images of one prompt, each
/// with the prompt's number. Of many images the first twenty do.
void add_distances(const Tensor& images, std::size_t prompt, std::vector<double>& values,
                   std::vector<std::int64_t>& prompts) {
  if (images.size(0) < 2) return;
  const Tensor flat = images.narrow(0, 0, std::min<std::int64_t>(images.size(0), 20)).flatten(1);
  const Tensor distances = at::pdist(flat, 1).div(2 * static_cast<double>(flat.size(1))).to(at::kDouble).contiguous();
  values.insert(values.end(), distances.const_data_ptr<double>(),
                distances.const_data_ptr<double>() + distances.numel());
  prompts.insert(prompts.end(), static_cast<std::size_t>(distances.numel()), static_cast<std::int64_t>(prompt));
}

class Generation final : public Task {
 public:
  Generation(const Parameters& parameters, const BuildContext&)
      : protocol_(shape_protocol(parameters.text("scorer"))),
        images_seen_(parameters.integer("images_seen")),
        images_held_out_(parameters.integer("images_held_out")),
        shown_(parameters.integer("shown")) {}

  Model::Ability needs() const override { return Model::Ability::generate; }

  TaskResult evaluate(const TaskContext& context) override {
    const auto prompts = context.dataset.prompts();
    const auto expected = expected_shapes(prompts);
    const auto jobs = plan(prompts, derive_seed(context.seed, "generation"));
    if (jobs.empty()) {
      throw Error(Fault::usage, "task generation: images_seen and images_held_out leave nothing to make; raise one");
    }
    std::vector<std::string> texts;
    std::vector<std::uint64_t> seeds;
    for (const auto& job : jobs) {
      texts.push_back(prompts[job.prompt].text);
      seeds.push_back(job.seed);
    }
    const Tensor images = context.model.generate(texts, seeds, context.progress);

    TaskResult result;
    std::vector<ShapeReading> readings;
    std::vector<std::int64_t> shown(prompts.size(), 0);
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      const auto& job = jobs[i];
      const Tensor image = images[static_cast<std::int64_t>(i)];
      readings.push_back(read_shape(image, protocol_));
      const bool right = readings.back().found == expected[job.prompt];
      result.items.push_back({.id = fmt::format("seed {}", job.seed),
                              .input = texts[i],
                              .output = to_text(readings.back()),
                              .expected = to_text(expected[job.prompt]),
                              .score = right ? 1.0 : 0.0});
      if (shown[job.prompt]++ < shown_) {
        result.images.push_back({.image = image.clone(),
                                 .label = to_text(expected[job.prompt]) + (prompts[job.prompt].held_out ? " *" : ""),
                                 .good = right});
      }
    }
    score_group(false, prompts, expected, jobs, readings, context.seed, result.scores);
    score_group(true, prompts, expected, jobs, readings, context.seed, result.scores);
    const auto truths = test_truths(context.dataset);
    if (!truths.empty()) {
      result.scores.push_back(scorer_reference("generation/scorer_on_real", context.dataset, truths, protocol_));
    }
    score_diversity(images, jobs, context.seed, result.scores);
    return result;
  }

 private:
  static std::vector<ColouredShape> expected_shapes(const std::vector<Prompt>& prompts) {
    if (prompts.empty()) {
      throw Error(Fault::usage, "task generation: the data set has no prompts; take the task out of the recipe");
    }
    std::vector<ColouredShape> shapes;
    for (const auto& prompt : prompts) {
      const auto shape = parse_coloured_shape(prompt.text);
      if (!shape) {
        throw Error(Fault::usage,
                    fmt::format("task generation: the scorer of shapes cannot judge the prompt '{}': it "
                                "only knows prompts of one colour and one shape, such as 'a red triangle' "
                                "of easy-vqa; take the task out of the recipe",
                                prompt.text));
      }
      shapes.push_back(*shape);
    }
    return shapes;
  }

  /// The same number of images for each prompt of a group, together at least as many as asked for.
  std::vector<Job> plan(const std::vector<Prompt>& prompts, std::uint64_t seed) const {
    const auto held_out = std::ranges::count_if(prompts, [](const Prompt& prompt) { return prompt.held_out; });
    const auto seen = static_cast<std::int64_t>(prompts.size()) - held_out;
    const auto each = [](std::int64_t images, std::int64_t group) {
      return group > 0 ? (images + group - 1) / group : 0;
    };
    const auto each_held_out = each(images_held_out_, held_out), each_seen = each(images_seen_, seen);
    std::vector<Job> jobs;
    for (std::size_t prompt = 0; prompt < prompts.size(); ++prompt) {
      const auto images = prompts[prompt].held_out ? each_held_out : each_seen;
      for (std::int64_t image = 0; image < images; ++image) {
        jobs.push_back({prompt, derive_seed(seed, static_cast<std::uint64_t>(jobs.size()))});
      }
    }
    return jobs;
  }

  /// The scores of seen or of held-out prompts, and those of the same images under each other's prompts: the floor.
  void score_group(bool held_out, const std::vector<Prompt>& prompts, const std::vector<ColouredShape>& expected,
                   const std::vector<Job>& jobs, const std::vector<ShapeReading>& readings, std::uint64_t seed,
                   std::vector<Score>& scores) const {
    std::vector<std::size_t> members, shuffled;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      if (prompts[jobs[i].prompt].held_out != held_out) continue;
      members.push_back(i);
      shuffled.push_back(jobs[i].prompt);
    }
    if (members.empty()) return;
    const std::string name = held_out ? "generation/held_out" : "generation/seen";
    std::mt19937_64 engine(derive_seed(seed, name));
    for (auto left = shuffled.size(); left > 1; --left) std::swap(shuffled[left - 1], shuffled[engine() % left]);
    ShapeTally tally, floor;
    for (std::size_t i = 0; i < members.size(); ++i) {
      tally.add(readings[members[i]], expected[jobs[members[i]].prompt]);
      floor.add(readings[members[i]], expected[shuffled[i]]);
    }
    const auto group = tally.scores(name, protocol_name(protocol_));
    scores.insert(scores.end(), group.begin(), group.end());
    scores.push_back(
        as_reference(share_score(name + "_shuffled", protocol_name(protocol_), floor.both(), floor.count())));
  }

  /// How different images of one prompt are. A deterministic objective such as regression has no diversity.
  static void score_diversity(const Tensor& images, const std::vector<Job>& jobs, std::uint64_t seed,
                              std::vector<Score>& scores) {
    std::vector<double> values;
    std::vector<std::int64_t> of_prompt;
    for (std::size_t first = 0; first < jobs.size();) {
      std::size_t last = first;
      while (last < jobs.size() && jobs[last].prompt == jobs[first].prompt) ++last;
      add_distances(images.slice(0, static_cast<std::int64_t>(first), static_cast<std::int64_t>(last)),
                    jobs[first].prompt, values, of_prompt);
      first = last;
    }
    if (values.empty()) return;
    scores.push_back(mean_score("generation/diversity", "pixel_distance@1", values, of_prompt,
                                derive_seed(seed, "generation/diversity")));
  }

  ShapeProtocol protocol_;
  std::int64_t images_seen_, images_held_out_, shown_;
};

}  // namespace

std::unique_ptr<Component> create_generation(const Parameters& parameters, const BuildContext& context) {
  return create<Generation>(parameters, context);
}

}  // namespace blip3u::eval
