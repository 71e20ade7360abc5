#include <memory>

#include <fmt/format.h>

#include "program.h"
#include "recipe/recipe.h"
#include "training/runner.h"

namespace blip3u {

void add_train(CLI::App& app, Program& program) {
  struct Options {
    std::filesystem::path recipe, directory;
    std::vector<std::string> overrides;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* const verb = app.add_subcommand("train", "Train what a recipe describes, without evaluating it");
  verb->add_option("--config", options->recipe, "The recipe, a YAML file")->type_name("RECIPE")->required();
  verb->add_option("--output_dir", options->directory, "The run directory to make or to go on with")
      ->type_name("DIR")
      ->required();
  verb->add_option("overrides", options->overrides, "Changes to the recipe, e.g. seed=2")
      ->type_name("path.to.key=value");
  verb->footer("Prints the run directory. What is done already is not done again.");
  verb->callback([options, &program] {
    program.action = [options, &program] {
      Registry registry = open_registry(program);
      const Recipe recipe = load_recipe(options->recipe, options->overrides, registry);
      const auto run = run_recipe(
          recipe,
          {.directory = options->directory, .arguments = program.arguments, .evaluate = false, .write_report = {}});
      fmt::print("{}\n", run.string());
      return 0;
    };
  });
}

}  // namespace blip3u
