#include <unistd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "blip3u/image.h"
#include "io/interrupt.h"
#include "io/progress.h"
#include "program.h"
#include "running/open_run.h"

namespace blip3u {
namespace {

struct Options {
  std::string prompt;
  std::filesystem::path output, run;
  std::uint64_t seed = 0;
  std::optional<std::int64_t> steps;
  std::optional<double> guidance;
  std::int64_t images = 1;
};

/// Refuses before any work what could not be written after it.
void check_output(const std::filesystem::path& output) {
  const auto refuse = [&](const std::string& reason) {
    throw Error(Fault::usage, fmt::format("--output_path {}: {}", output.string(), reason));
  };
  if (output.extension() != ".png") refuse("pictures are written as PNG; end the name in .png");
  if (std::filesystem::is_directory(output)) refuse("is a folder; name a file");
  const std::filesystem::path folder = output.has_parent_path() ? output.parent_path() : ".";
  if (!std::filesystem::is_directory(folder)) refuse("its folder does not exist; make it first");
  if (access(folder.c_str(), W_OK) != 0) refuse("its folder cannot be written to; choose another");
}

/// a/b.png, or a/b-0.png, a/b-1.png, ... when there are several.
std::filesystem::path numbered(const std::filesystem::path& output, std::int64_t i, std::int64_t count) {
  if (count == 1) return output;
  return output.parent_path() / fmt::format("{}-{}.png", output.stem().string(), i);
}

/// What the options change of the recipe: of the link whose pictures are seen, which is the last.
std::vector<std::string> changes(const Options& options, const PipelineChoices& pipeline) {
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

int generate(const Options& options, const Program& program) {
  check_output(options.output);
  Registry registry = open_registry(program);
  const std::filesystem::path directory = choose_run(options.run);
  Recipe recipe = recipe_of(directory, registry);
  const std::vector<std::string> overrides = changes(options, recipe.pipeline);
  if (!overrides.empty()) recipe = recipe_of(directory, registry, overrides);
  const OpenedRun run = open_run(directory, std::move(recipe), Model::Ability::generate);

  std::vector<Request> requests;
  for (std::int64_t i = 0; i < options.images; ++i) {
    requests.push_back({.messages = {{Role::user, {text_part(options.prompt)}}},
                        .want = Want::image,
                        .seed = options.seed + static_cast<std::uint64_t>(i)});
  }
  std::optional<ProgressBar> progress;
  if (options.images > 1) progress.emplace("images", options.images);
  std::int64_t done = 0;
  Events events;
  events.finished = [&](std::size_t request, const Reply& reply) {
    stop_if_interrupted();
    if (reply.images.empty()) return;
    const auto file = numbered(options.output, static_cast<std::int64_t>(request), options.images);
    write_png(file, reply.images.front());
    fmt::print("{}\n", file.string());
    if (progress) progress->update(++done);
  };
  run.model->respond(requests, events);
  if (progress) progress->finish();
  return 0;
}

}  // namespace

void add_generate(CLI::App& app, Program& program) {
  const auto options = std::make_shared<Options>();
  CLI::App* const verb = app.add_subcommand("generate", "Make images from a prompt");
  verb->add_option("--prompt", options->prompt, "What the image shows")->type_name("TEXT")->required();
  verb->add_option("--output_path", options->output, "Where to write the image, a .png file")
      ->type_name("FILE")
      ->required();
  verb->add_option("--seed", options->seed, "Seed of the first image; image i has SEED + i")
      ->type_name("SEED")
      ->capture_default_str();
  verb->add_option("--steps", options->steps, "Steps of the solver or sampler, instead of the recipe's")
      ->type_name("N");
  verb->add_option("--guidance", options->guidance, "Classifier-free guidance, instead of the recipe's")
      ->type_name("SCALE");
  verb->add_option("--num_images", options->images, "How many; several are numbered -0, -1, ... before .png")
      ->check(CLI::Range(1, 10000))
      ->type_name("N")
      ->capture_default_str();
  add_run_option(*verb, options->run);
  verb->footer("Prints the names of the files that it wrote.");
  verb->callback([options, &program] { program.action = [options, &program] { return generate(*options, program); }; });
}

}  // namespace blip3u
