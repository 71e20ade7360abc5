// Generation from the data set's prompts, judged by colour and shape where all of them name one, for seen and held-out
// prompts apart.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ops/pdist.h>
#include <fmt/format.h>

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

  std::string missing_for(const Dataset& dataset) const override {
    const auto prompts = dataset.prompts();
    if (prompts.empty()) {
      return "the data set has no prompts; give its test images captions, or take the task out of the recipe";
    }
    if (!plan(prompts, 0).empty()) return {};
    return "images_seen and images_held_out leave nothing to make of the data set's prompts; raise one of the two";
  }

  TaskResult evaluate(const TaskContext& context) override {
    const auto prompts = context.dataset.prompts();
    const auto expected = expected_shapes(prompts);
    const bool judged = !expected.empty();
    const auto jobs = plan(prompts, derive_seed(context.seed, "generation"));
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
      const auto& [prompt, seed] = jobs[i];
      const Tensor image = images[static_cast<std::int64_t>(i)];
      std::string label = texts[i];
      bool right = true;
      if (judged) {
        readings.push_back(read_shape(image, protocol_));
        label = to_text(expected[prompt]);
        right = readings.back().found == expected[prompt];
        result.items.push_back({.id = fmt::format("seed {}", seed),
                                .input = texts[i],
                                .output = to_text(readings.back()),
                                .expected = label,
                                .score = right ? 1.0 : 0.0});
      }
      if (shown[prompt]++ < shown_) {
        if (prompts[prompt].held_out) label += " *";
        result.images.push_back({.image = image.clone(), .label = std::move(label), .good = right});
      }
    }
    if (judged) {
      score_group(false, prompts, expected, jobs, readings, context.seed, result.scores);
      score_group(true, prompts, expected, jobs, readings, context.seed, result.scores);
      const auto truths = test_truths(context.dataset);
      if (!truths.empty()) {
        result.scores.push_back(scorer_reference("generation/scorer_on_real", context.dataset, truths, protocol_));
      }
    }
    score_diversity(images, jobs, result.scores);
    return result;
  }

 private:
  /// What each prompt asks for. None at all if the scorer cannot judge one of them: a score of the others would pass
  /// for one of all.
  static std::vector<ColouredShape> expected_shapes(const std::vector<Prompt>& prompts) {
    std::vector<ColouredShape> shapes;
    for (const auto& prompt : prompts) {
      const auto shape = parse_coloured_shape(prompt.text);
      if (!shape) return {};
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

  /// The scores of seen or of held-out prompts; as references those of single held-out pairs, and that of the same
  /// images under each other's prompts: the floor.
  void score_group(bool held_out, const std::vector<Prompt>& prompts, const std::vector<ColouredShape>& expected,
                   const std::vector<Job>& jobs, const std::vector<ShapeReading>& readings, std::uint64_t seed,
                   std::vector<Score>& scores) const {
    std::vector<std::size_t> members, shuffled;
    std::vector<std::int64_t> clusters;  // whole prompts fail together
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      if (prompts[jobs[i].prompt].held_out != held_out) continue;
      members.push_back(i);
      shuffled.push_back(jobs[i].prompt);
      clusters.push_back(static_cast<std::int64_t>(jobs[i].prompt));
    }
    if (members.empty()) return;
    const std::string name = held_out ? "generation/held_out" : "generation/seen";
    std::mt19937_64 engine(derive_seed(seed, name));
    for (auto left = shuffled.size(); left > 1; --left) std::swap(shuffled[left - 1], shuffled[engine() % left]);
    ShapeTally tally, floor;
    std::map<std::string, ShapeTally> pairs;
    for (std::size_t i = 0; i < members.size(); ++i) {
      const auto& reading = readings[members[i]];
      const auto& wanted = expected[jobs[members[i]].prompt];
      tally.add(reading, wanted);
      floor.add(reading, expected[shuffled[i]]);
      if (held_out) pairs[to_text(wanted)].add(reading, wanted);
    }
    const std::string protocol = protocol_name(protocol_);
    const auto group = tally.scores(name, protocol, clusters);
    scores.insert(scores.end(), group.begin(), group.end());
    for (const auto& [pair, part] : pairs)
      scores.push_back(as_reference(part.score(fmt::format("{}: {}", name, pair), protocol)));
    scores.push_back(as_reference(floor.score(name + "_shuffled", protocol)));
  }

  /// How different images of one prompt are. A deterministic objective such as regression has no diversity.
  static void score_diversity(const Tensor& images, const std::vector<Job>& jobs, std::vector<Score>& scores) {
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
    scores.push_back(mean_score("generation/diversity", "pixel_distance@1", values, of_prompt));
  }

  ShapeProtocol protocol_;
  std::int64_t images_seen_, images_held_out_, shown_;
};

}  // namespace

std::unique_ptr<Component> create_generation(const Parameters& parameters, const BuildContext& context) {
  return create<Generation>(parameters, context);
}

}  // namespace blip3u::eval
