#include <memory>

#include <fmt/format.h>

#include "program.h"

namespace blip3u {

void add_train(CLI::App& app, Program& program) {
  struct Options {
    RecipeOptions recipe;
    std::filesystem::path directory;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* const verb = app.add_subcommand("train", "Train what a recipe describes, without evaluating it");
  add_recipe_options(*verb, "--config", options->recipe);
  verb->add_option("--output_dir", options->directory, "The run directory to make or to go on with")
      ->type_name("DIR")
      ->required();
  verb->footer("Prints the run directory. What is done already is not done again.");
  verb->callback([options, &program] {
    program.action = [options, &program] {
      const auto run =
          run_recipe(program, options->recipe,
                     {.directory = options->directory, .arguments = {}, .evaluate = false, .write_report = {}});
      fmt::print("{}\n", run.string());
      return 0;
    };
  });
}

}  // namespace blip3u
