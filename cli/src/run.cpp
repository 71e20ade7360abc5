#include <memory>

#include <fmt/format.h>

#include "eval/report.h"
#include "program.h"
#include "recipe/recipe.h"
#include "training/runner.h"

namespace blip3u {

void add_run(CLI::App& app, Program& program) {
  struct Options {
    std::filesystem::path recipe;
    std::vector<std::string> overrides;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* const verb = app.add_subcommand("run", "Train, evaluate and report what a recipe describes");
  verb->add_option("recipe", options->recipe, "The recipe, a YAML file")->type_name("RECIPE")->required();
  verb->add_option("overrides", options->overrides, "Changes to the recipe, e.g. pipeline.sampler.plugin=ddpm")
      ->type_name("path.to.key=value");
  verb->footer("Prints the scores and the run directory. What is done already is not done again.");
  verb->callback([options, &program] {
    program.action = [options, &program] {
      Registry registry = open_registry(program);
      const Recipe recipe = load_recipe(options->recipe, options->overrides, registry);
      const auto run = run_recipe(
          recipe,
          {.directory = {}, .arguments = program.arguments, .evaluate = true, .write_report = eval::write_report});
      print_scores(run, "");
      fmt::print("{}\n", run.string());
      return 0;
    };
  });
}

}  // namespace blip3u
