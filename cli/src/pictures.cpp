#include "pictures.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "blip3u/image.h"
#include "io/interrupt.h"
#include "io/progress.h"
#include "io/say.h"
#include "model/best_of.h"
#include "origin.h"
#include "words.h"

namespace blip3u {
namespace {

constexpr std::int64_t most_shown = 16;  // pictures, lest they run away

/// a/b.png, or a/b-0.png, a/b-1.png, ... when there are several.
std::filesystem::path numbered(const std::filesystem::path& output, std::int64_t i, std::int64_t count) {
  if (count == 1) return output;
  return output.parent_path() / fmt::format("{}-{}.png", output.stem().string(), i);
}

/// What the options change of the recipe: of the link whose pictures are seen, which is the last.
std::vector<std::string> changes(const SamplingOptions& options, const PipelineChoices& pipeline) {
  const LinkChoice link = pipeline.generation.empty() ? LinkChoice() : pipeline.generation.back();
  const auto path = [&](const char* key) {
    return link.place.empty() ? fmt::format("pipeline.{}", key) : fmt::format("pipeline.{}.{}", link.place, key);
  };
  std::vector<std::string> overrides;
  if (options.steps) {
    overrides.push_back(fmt::format("{}.steps={}", path(link.solver.empty() ? "sampler" : "solver"), *options.steps));
  }
  if (options.guidance) overrides.push_back(fmt::format("{}.scale={}", path("guidance"), *options.guidance));
  return overrides;
}

Request request_of(const PictureOptions& options) {
  check_utf8(options.prompt, "--prompt");
  check_utf8(options.input.string(), "--input_path");  // which the pictures tell
  Request request{.messages = {{Role::user, {text_part(options.prompt)}}}, .want = Want::image};
  if (options.reasoning) {
    request.messages.insert(request.messages.begin(), {Role::system, {text_part("think")}});
    request.want = Want::any;
  }
  if (!options.input.empty()) {
    request.images.push_back(read_image(options.input));
    auto& content = request.messages.back().content;
    content.insert(content.begin(), image_part(0));
  }
  return request;
}

/// What the reply says before its picture.
std::string thought_of(const Reply& reply) {
  std::string words;
  for (const Part& part : reply.message.content) {
    if (part.type == Part::Type::image) break;
    words += part.text;
  }
  return printable(words);
}

/// The reply's picture, which a model that thinks first may forget. Its words do not depend on the seed.
const Tensor& picture_of(const Reply& reply) {
  if (!reply.images.empty()) return reply.images.front();
  throw Error(
      fmt::format("the model made no picture, but said `{}`; leave --reasoning out, or say the prompt otherwise",
                  thought_of(reply)));
}

}  // namespace

void add_sampling_options(CLI::App& verb, SamplingOptions& options) {
  verb.add_option("--steps", options.steps, "Steps of the solver or sampler, instead of the recipe's")->type_name("N");
  verb.add_option("--guidance", options.guidance, "Classifier-free guidance, instead of the recipe's")
      ->type_name("SCALE");
  add_run_option(verb, options.run);
}

OpenedRun open_run(SamplingOptions& options, Registry& registry) {
  options.run = choose_run(options.run);
  Recipe recipe = recipe_of(options.run, registry);
  const std::vector<std::string> overrides = changes(options, recipe.pipeline);
  if (!overrides.empty()) recipe = recipe_of(options.run, registry, overrides);
  return open_run(options.run, std::move(recipe), Model::Ability::generate);
}

std::int64_t steps_of(const Recipe& recipe) {
  const auto steps = [&](const std::string& role, std::int64_t otherwise) {
    const ComponentChoice* const choice = recipe.pipeline.find(role);
    if (choice == nullptr) return otherwise;
    const auto found = choice->parameters.values().find("steps");
    if (found == choice->parameters.values().end()) return otherwise;
    const auto* const number = std::get_if<std::int64_t>(&found->second);
    return number == nullptr ? otherwise : *number;
  };
  std::int64_t sum = steps("decoder", 0) + 1;
  for (const LinkChoice& link : recipe.pipeline.generation) {
    sum += steps(link.solver.empty() ? link.sampler : link.solver, 1);
  }
  return sum;
}

Graphics output_graphics() {
  if (isatty(STDOUT_FILENO) != 1) return Graphics::none;
  return graphics_of([](const char* name) {
    const char* const value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  });
}

void add_picture_options(CLI::App& verb, PictureOptions& options, const std::string& prompt) {
  verb.add_option("--prompt", options.prompt, prompt)->type_name("TEXT")->required();
  verb.add_option("--output_path", options.output, "Where to write the image, a .png file")
      ->type_name("FILE")
      ->required();
  verb.add_option("--seed", options.seed, "Seed of the first image; image i has SEED + i")
      ->type_name("SEED")
      ->capture_default_str();
  verb.add_option("--num_images", options.images, "How many; several are numbered -0, -1, ... before .png")
      ->check(CLI::Range(1, 10000))
      ->type_name("N")
      ->capture_default_str();
  add_sampling_options(verb, options.sampling);
  verb.footer(
      "Prints the names of the files that it wrote, which tell where they come from: see `blip3u inspect`. Terminals\n"
      "that can (kitty, sixel) show the images.");
}

int make_pictures(PictureOptions& options, const std::string& verb, const Program& program) {
  check_picture_path(options.output, "--output_path");
  const Request request = request_of(options);
  Registry registry = open_registry(program);
  const OpenedRun run = open_run(options.sampling, registry);
  if (!request.images.empty() && run.recipe.pipeline.understanding.empty()) {
    throw Error(Fault::usage,
                fmt::format("{}: its backbone reads no pictures, so it cannot edit one; choose a run whose "
                            "recipe names an encoder under `understanding`",
                            options.sampling.run.string()));
  }
  const std::string mute = options.reasoning ? run.model->missing_for(Model::Ability::converse) : "";
  if (!mute.empty()) {
    throw Error(Fault::usage, fmt::format("{}: cannot think before it draws: {}; leave --reasoning out",
                                          options.sampling.run.string(), mute));
  }
  say_unknown_words(*run.tokenizer, options.prompt, "--prompt");
  Origin origin = origin_of(verb, options.sampling.run, run.recipe);
  origin.prompt = options.prompt;
  origin.input = options.input.string();
  origin.reasoning = options.reasoning;

  const std::int64_t each = options.best_of, batch = run.recipe.inference_batch;
  const Judge judge = each == 1 ? Judge() : judge_for(*run.model, judge_called(options.judge));
  const std::int64_t block = std::max<std::int64_t>(1, batch / each);  // pictures that are made and written at a time
  const std::int64_t blocks = (options.images + block - 1) / block, batches = (block * each + batch - 1) / batch;
  const Graphics graphics = options.images <= most_shown ? output_graphics() : Graphics::none;
  const std::int64_t controls = options.reasoning ? 2 : 0;  // the words that announce the picture and end the reply
  const std::int64_t all = blocks * batches * (steps_of(run.recipe) + controls);
  ProgressBar progress("steps", all);
  std::int64_t steps = 0;
  Events events;
  events.cancelled = [&](std::size_t i) {
    if (static_cast<std::int64_t>(i) % batch == 0) progress.update(std::min(++steps, all));
    return false;
  };
  events.text = [&](std::size_t i, std::string_view) {  // how many words there will be is not known
    if (static_cast<std::int64_t>(i) % batch == 0) --steps;
  };
  for (std::int64_t first = 0; first < options.images; first += block) {
    const std::int64_t count = std::min(block, options.images - first);
    std::vector<Request> requests(static_cast<std::size_t>(count * each), request);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      requests[i].seed = options.seed + static_cast<std::uint64_t>(first * each) + i;
    }
    const std::vector<Reply> replies = run.model->respond(requests, events);
    for (std::int64_t i = 0; i < count; ++i) {
      stop_if_interrupted();
      std::vector<Tensor> made;
      for (std::int64_t k = 0; k < each; ++k)
        made.push_back(picture_of(replies[static_cast<std::size_t>(i * each + k)]));
      const std::size_t best = each == 1 ? 0 : best_of(*run.model, judge, made, options.prompt);
      const std::string thought = thought_of(replies[static_cast<std::size_t>(i * each) + best]);
      progress.clear();
      if (!thought.empty()) say(thought);
      const auto file = numbered(options.output, first + i, options.images);
      origin.seed = requests[static_cast<std::size_t>(i * each) + best].seed;
      write_picture(file, made[best], origin);
      if (graphics != Graphics::none) fmt::print("{}\n", terminal_picture(graphics, made[best]));
      fmt::print("{}\n", file.string());
    }
  }
  if (options.images > 1) progress.finish();
  return 0;
}

}  // namespace blip3u
